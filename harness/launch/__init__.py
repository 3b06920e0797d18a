"""Starting runs, several at once if asked, and following them."""
