"""The sentences of the reports, each with its proof."""
