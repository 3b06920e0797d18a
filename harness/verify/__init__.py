"""Judging a stored comparison."""
