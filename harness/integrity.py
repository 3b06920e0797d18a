"""Is the metric what it says it is? What a run that holds every rule by the letter can still get wrong.

As in `constraints`, expected values are literals and nothing is imported from what is checked: titles are counted
and tokenized again by this module's own code, with the tokenizer the run stored.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import tiktoken
from numpy.typing import NDArray

from harness.checks import Evidence, Registry, Result, judge_runs, register
from harness.stored import StoredRun

SEPARATOR_CHARS = 5
"""Characters of the separator that follows each title in the metric's denominator."""
SPECIAL_TOKENS = ["<pad>", "<eos>", "<unk>"]
EOS_ID = 1
SUM_TOLERANCE = 1e-9
"""Relative difference that rounding in a sum can cause."""

INTEGRITY: Registry = {}
integrity = partial(register, INTEGRITY)


@integrity("spans-scored", "At least one span is scored")
def check_spans(evidence: Evidence) -> Result:
    """A batch so large that no span fits reports a loss of 0."""

    def judge(run: StoredRun) -> str | None:
        counts = [event["num_spans"] for event in run.select("validation_step")]
        return None if counts and min(counts) >= 1 else "an evaluation scored no span at all"

    return judge_runs(evidence, judge, "every evaluation of every run scored at least one whole span")


@integrity("losses-by-title", "The losses by title add up to the full loss")
def check_title_sums(evidence: Evidence) -> Result:
    """Characters, tokens and losses by title give the totals of the last evaluation."""

    def judge(run: StoredRun) -> str | None:
        last, columns = run.select("validation_step")[-1], run.load_title_losses()
        full = sum(columns["loss_nats"]) / last["num_chars"]
        if sum(columns["num_chars"]) != last["num_chars"] or sum(columns["num_tokens"]) != last["num_tokens"]:
            return "characters or tokens by title do not add up to those of the last evaluation"
        if not abs(full - last["full_loss_nats_per_char"]) <= SUM_TOLERANCE * abs(full):
            return f"losses by title give {full}, the journal says {last['full_loss_nats_per_char']}"
        return None

    return judge_runs(evidence, judge, "characters, tokens and losses by title give the last evaluation's totals")


@integrity("fingerprints", "The titles are those the runs were fingerprinted with")
def check_fingerprints(evidence: Evidence) -> Result:
    """The titles read again from their source have the recorded SHA-256, training and validation apart."""
    if isinstance(evidence.titles, str):
        return "NOT CHECKED", evidence.titles
    parts = {"train_sha256": evidence.titles.train, "validation_sha256": evidence.titles.validation}

    def judge(run: StoredRun) -> str | None:
        for key, titles in parts.items():
            found = hashlib.sha256(b"".join(title.encode() + b"\0" for title in titles)).hexdigest()
            if found != run.record["corpus"][key]:
                return f"{key} is {run.record['corpus'][key]}, the titles give {found}"
        return None

    return judge_runs(evidence, judge, "training and validation titles read again have the recorded SHA-256")


@integrity("denominator", "The denominator is the characters of the titles")
def check_denominator(evidence: Evidence) -> Result:
    """A longer separator, or markers put into the text, would make the loss per character smaller."""
    if isinstance(evidence.titles, str):
        return "NOT CHECKED", evidence.titles
    expected = [len(title) + SEPARATOR_CHARS for title in evidence.titles.validation]

    def judge(run: StoredRun) -> str | None:
        stored = {event["num_chars"] for event in run.select("validation_step")}
        if stored != {sum(expected)}:
            return f"divides by {sorted(stored)} characters; the validation titles have {sum(expected):,}"
        return None if run.load_title_losses()["num_chars"] == expected else "characters by title are not the titles'"

    return judge_runs(evidence, judge, f"{sum(expected):,} characters, counted again from the validation titles")


@integrity("tokens", "No data augmentation: the tokens are those of the titles, each once, and nothing else")
def check_tokens(evidence: Evidence) -> Result:
    """Both streams are the tokenized titles: no augmentation, no text changed before it is tokenized."""
    if isinstance(evidence.titles, str):
        return "NOT CHECKED", evidence.titles
    parts = {"train_ids_sha256": evidence.titles.train, "validation_ids_sha256": evidence.titles.validation}

    def judge(run: StoredRun) -> str | None:
        encoding = load_encoding(run.folder / "tokenizer.json")
        for key, titles in parts.items():
            stream = encode_titles(encoding, titles)
            if hashlib.sha256(stream.tobytes()).hexdigest() != run.record[key]:
                return f"{key.removesuffix('_sha256')} are not those of the {len(titles):,} titles"
            if key == "train_ids_sha256" and run.select("dataset_info")[0]["tokens_per_epoch"] != len(stream):
                return f"tokens_per_epoch is not the {len(stream):,} ids of the training titles"
        return None

    return judge_runs(
        evidence, judge, "training and validation streams made again from the titles have the same SHA-256"
    )


@integrity("round-trip", "The tokenizer gives every validation title back, and none is unknown")
def check_round_trip(evidence: Evidence) -> Result:
    """A tokenizer that loses text makes the text that is left easier to predict."""
    if isinstance(evidence.titles, str):
        return "NOT CHECKED", evidence.titles
    titles = evidence.titles.validation

    def judge(run: StoredRun) -> str | None:
        encoding = load_encoding(run.folder / "tokenizer.json")
        stream = encode_titles(encoding, titles)
        if hashlib.sha256(stream.tobytes()).hexdigest() != run.record["validation_ids_sha256"]:
            return "its validation stream is not what its tokenizer makes of the titles"
        for place, title in enumerate(titles):
            ids = encoding.encode_ordinary(f" {title}") if title else []
            if min(ids, default=len(SPECIAL_TOKENS)) < len(SPECIAL_TOKENS):
                return f"validation title {place} holds a special token"
            if title and encoding.decode_bytes(ids) != f" {title}".encode():
                return f"validation title {place} does not come back from its tokens"
        return None

    return judge_runs(evidence, judge, f"the stored stream gives {len(titles):,} titles back; share of <unk> is 0 %")


@integrity("facts-by-title", "What is stored of each validation title is so")
def check_facts_by_title(evidence: Evidence) -> Result:
    """Tokens, kind, digits and membership in training, which the view by title is cut by."""
    if isinstance(evidence.titles, str):
        return "NOT CHECKED", evidence.titles
    titles, in_training = evidence.titles.validation, set(evidence.titles.train)
    expected = {
        "title_index": list(range(len(titles))),
        "in_train": [title in in_training for title in titles],
        "kind": [next((kind for kind in ("ask", "show") if title.lower().startswith(f"{kind} hn")), "other")
                 for title in titles],
        "has_digit": [any(character.isdigit() for character in title) for title in titles],
    }  # fmt: skip

    def judge(run: StoredRun) -> str | None:
        encoding, columns = load_encoding(run.folder / "tokenizer.json"), run.load_title_losses()
        num_tokens = [len(encoding.encode_ordinary(f" {title}") if title else []) + 1 for title in titles]
        for name, values in {**expected, "num_tokens": num_tokens}.items():
            if columns[name] != values:
                return f"{name} in title_losses.parquet is not that of the titles"
        return None

    return judge_runs(evidence, judge, f"tokens, kind, digits and membership in training of {len(titles):,} titles")


def load_encoding(path: Path) -> tiktoken.Encoding:
    """The encoding that a stored `tokenizer.json` describes; `ValueError` where it is no usable tokenizer."""
    stored = json.loads(path.read_bytes())
    tokens = [bytes.fromhex(token) for token in stored["token_bytes_hex"]]
    num_special = len(SPECIAL_TOKENS)
    if stored["special_tokens"] != SPECIAL_TOKENS or len(set(tokens)) != len(tokens):
        raise ValueError(f"{path.name} does not begin with {', '.join(SPECIAL_TOKENS)}, or repeats a token")
    missing = [byte for byte in range(256) if bytes([byte]) not in tokens]
    if missing:
        raise ValueError(f"{path.name} has no token for byte {missing[0]}")
    return tiktoken.Encoding(
        path.name,
        pat_str=stored["split_pattern"],
        mergeable_ranks={token: place for place, token in enumerate(tokens) if place >= num_special},
        special_tokens={token: place for place, token in enumerate(SPECIAL_TOKENS)},
        explicit_n_vocab=len(tokens),
    )


def encode_titles(encoding: tiktoken.Encoding, titles: list[str]) -> NDArray[np.int32]:
    """The stream of titles (n,): each title's ids after one space, then one `<eos>`; an empty title is that alone."""
    stream: list[int] = []
    for title in titles:
        stream += encoding.encode_ordinary(f" {title}") if title else []
        stream.append(EOS_ID)
    return np.array(stream, np.int32)
