"""Text to unigram tokens and back, from a stored tokenizer alone: the checker's own code, written as the rule says.

A text is split into pieces by the stored pattern; of each piece's ways to be cut into tokens the one with the largest
sum of scores is taken, and at each cut, where two are equal, the longest token before it.
"""

from collections.abc import Sequence
from functools import lru_cache

import regex


class UnigramEncoding:
    """What a stored vocabulary with scores says; it speaks as tiktoken's encodings do."""

    def __init__(
        self, name: str, split_pattern: str, tokens: Sequence[bytes], scores: Sequence[int], num_special: int
    ) -> None:
        """Raises `ValueError` where there is not one whole score a token."""
        if len(scores) != len(tokens) or not all(type(score) is int for score in scores):
            raise ValueError("the tokens do not have one whole score each")
        self.name = name
        self._tokens = tokens
        self._pieces = regex.compile(split_pattern)
        self._known = {token: (scores[i], i) for i, token in enumerate(tokens) if i >= num_special}
        self._longest = max(map(len, self._known))
        self._encode_piece = lru_cache(maxsize=None)(self._find_best_cut)

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text, a special token's text being ordinary text."""
        return [token for piece in self._pieces.findall(text) for token in self._encode_piece(piece.encode())]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes of the tokens, one after the other."""
        return b"".join(self._tokens[token] for token in ids)

    def _find_best_cut(self, piece: bytes) -> tuple[int, ...]:
        best: list[tuple[int, int, int]] = [(0, 0, 0)]
        """Of each end: sum of scores, where the last token begins, and its id."""
        for end in range(1, len(piece) + 1):
            found: tuple[int, int, int] | None = None
            for start in range(max(0, end - self._longest), end):
                known = self._known.get(piece[start:end])
                if known and (found is None or best[start][0] + known[0] > found[0]):
                    found = best[start][0] + known[0], start, known[1]
            assert found is not None, "every byte is a token"
            best.append(found)
        ids, end = [], len(piece)
        while end:
            _, end, token = best[end]
            ids.append(token)
        return tuple(reversed(ids))
