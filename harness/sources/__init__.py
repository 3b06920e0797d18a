"""Runs that were not trained here: reading logs, tables and event files, and taking them in."""
