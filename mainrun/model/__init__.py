"""The model and the layers it is made of."""
