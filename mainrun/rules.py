"""The fixed rules of the Mainrun task, as the training program follows them.

The harness keeps its own copy as literals, so that a rule bent here is found there.
"""

EPOCHS = 7
SEED = 1337
"""Seed of the official pair; also the data seed of every run."""
VAL_FRACTION = 0.10
EVALS_PER_EPOCH = 3

SEPARATOR = "<eos>"
"""Text after each title. One id in the stream, five characters in the metric's denominator."""
SPECIAL_TOKENS = ("<pad>", SEPARATOR, "<unk>")
"""Tokens with the ids 0, 1, 2."""
EOS_ID = SPECIAL_TOKENS.index(SEPARATOR)

HUB_DATASET = "julien040/hacker-news-posts"
HUB_SPLIT = "train"
