"""Starting runs and following them."""
