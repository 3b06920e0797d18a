"""From titles to token streams, with a cache: a stale or damaged entry is rebuilt, never used."""

import io
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainrun.config import Config
from mainrun.data import tokenizer as tokenizer_module
from mainrun.data.corpus import Corpus, CorpusSource, load_corpus
from mainrun.data.settings import DataSettings
from mainrun.data.tokenizer import Tokenizer, train_tokenizer
from mainrun.record.errors import MachineError, RequestError
from mainrun.record.files import atomic_write, compute_file_sha256, compute_sha256, find_cache_folder, make_folder
from mainrun.rules import SEPARATOR
from mainrun.sizes import RunSizes, compute_run_sizes

TOKENIZER_TRAINED_ON = "training and validation titles"
"""As the task's public baseline does; the journal and the reports say so."""

MAX_CACHED = 20
"""Token streams that are kept; the oldest go first."""
DIGEST_BYTES = 64
"""Of the SHA-256, in hexadecimal, that a cached file begins with: it is of the rest."""


@dataclass(frozen=True)
class TokenStreams:
    """A tokenizer and both streams it makes of a corpus."""

    tokenizer: Tokenizer
    train_ids: NDArray[np.int32]
    """(n,) ids of all training titles."""
    validation_ids: NDArray[np.int32]
    """(n,) ids of all validation titles."""
    title_num_tokens: NDArray[np.int32]
    """(validation titles,) ids of each one, its `<eos>` included."""


@dataclass(frozen=True)
class PreparedData:
    """Everything a run needs to know before its model exists."""

    corpus: Corpus
    streams: TokenStreams
    title_num_chars: NDArray[np.int32]
    """(validation titles,) Unicode code points of each one, its separator included."""
    sizes: RunSizes

    @property
    def num_chars(self) -> int:
        """Characters of the whole validation text: the metric's denominator."""
        return int(self.title_num_chars.sum())


def prepare_data(config: Config, source: CorpusSource) -> PreparedData:
    """Loads, tokenizes and counts; `RequestError` where a corpus is too small for one step or one evaluation span."""
    corpus, streams = _tokenize(source, config.data)
    num_chars = [len(title) + len(SEPARATOR) for title in corpus.validation_titles]
    sizes = compute_run_sizes(
        config,
        vocab_size=streams.tokenizer.vocab_size,
        num_train_ids=len(streams.train_ids),
        num_validation_ids=len(streams.validation_ids),
    )
    span = config.model.block_size * config.training.batch_size + 1
    for part, ids in (("training", streams.train_ids), ("validation", streams.validation_ids)):
        if len(ids) < span:
            raise RequestError(
                f"The {part} titles are too few: they give {len(ids):,} tokens, and one read of block_size × "
                f"batch_size + 1 needs {span:,}. Give more titles, or a smaller preset, block_size or batch_size."
            )
    return PreparedData(corpus, streams, np.array(num_chars, np.int32), sizes)


@lru_cache(maxsize=1)  # the arms of a comparison share their titles
def _tokenize(source: CorpusSource, settings: DataSettings) -> tuple[Corpus, TokenStreams]:
    corpus = load_corpus(source, num_titles=settings.num_titles, val_fraction=settings.val_fraction)
    return corpus, _load_or_build_streams(corpus, settings)


def _load_or_build_streams(corpus: Corpus, settings: DataSettings) -> TokenStreams:
    titles, code = corpus.record, compute_file_sha256(Path(tokenizer_module.__file__))
    key = (titles.train_sha256, titles.validation_sha256, settings.vocab_size, settings.tokenizer,
           version("tokenizers"), version("tiktoken"), code)  # fmt: skip
    folder = find_cache_folder()  # without one, nothing is kept
    entry = folder / f"{compute_sha256(repr(key).encode())}.tokens" if folder else None
    cached = _load_streams(entry) if entry else None
    if cached:
        return cached
    learned = [*corpus.train_titles, *corpus.validation_titles]
    tokenizer = train_tokenizer(learned, settings.vocab_size, settings.tokenizer)
    train_ids, _ = tokenizer.encode_titles(corpus.train_titles)
    validation_ids, title_num_tokens = tokenizer.encode_titles(corpus.validation_titles)
    streams = TokenStreams(tokenizer, train_ids, validation_ids, title_num_tokens)
    if entry:
        _save_streams(entry, streams)
    return streams


def _save_streams(entry: Path, streams: TokenStreams) -> None:
    content = io.BytesIO()
    tokens = streams.tokenizer.token_bytes
    np.savez(
        content,
        token_bytes=np.frombuffer(b"".join(tokens), np.uint8),
        token_lengths=np.array([len(token) for token in tokens], np.int32),
        token_scores=np.array(streams.tokenizer.scores or (), np.int32),
        train_ids=streams.train_ids,
        validation_ids=streams.validation_ids,
        title_num_tokens=streams.title_num_tokens,
    )
    payload = content.getvalue()
    try:
        make_folder(entry.parent)
        with atomic_write(entry) as file:
            file.write(compute_sha256(payload).encode() + payload)
        for old in sorted(entry.parent.glob("*.tokens"), key=os.path.getmtime)[:-MAX_CACHED]:
            old.unlink()
    except (MachineError, OSError):
        pass  # the cache only saves time: a read-only home, or another process at work on it, is no reason to stop


def _load_streams(entry: Path) -> TokenStreams | None:
    try:
        content = entry.read_bytes()
    except OSError:
        return None
    digest, payload = content[:DIGEST_BYTES], memoryview(content)[DIGEST_BYTES:]
    if compute_sha256(payload).encode() != digest:
        return None
    with np.load(io.BytesIO(payload)) as arrays:
        joined = arrays["token_bytes"].tobytes()
        ends = np.cumsum(arrays["token_lengths"]).tolist()
        tokens = tuple(joined[start:end] for start, end in zip([0, *ends], ends, strict=False))
        scores = tuple(arrays["token_scores"].tolist()) or None
        return TokenStreams(
            Tokenizer(tokens, scores), arrays["train_ids"], arrays["validation_ids"], arrays["title_num_tokens"]
        )
