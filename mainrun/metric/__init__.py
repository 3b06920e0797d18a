"""The frozen evaluation of the task, and the full loss beside it."""
