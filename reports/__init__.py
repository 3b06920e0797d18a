"""The report templates and their style sheet, as package data."""
