"""What a comparison has stored, read and written."""
