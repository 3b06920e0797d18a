"""From titles to batches of token ids."""
