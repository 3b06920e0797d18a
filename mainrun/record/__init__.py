"""The wire: what a run writes, and how it is read back. All that most of the harness may import."""
