"""Is the metric what it says it is? What a run that holds every rule by the letter can still get wrong.

As in `constraints`, expected values are literals and nothing is imported from what is checked: titles are counted
and tokenized again by this module's own code, with the tokenizer the run stored.
"""

import hashlib
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tiktoken
from numpy.typing import NDArray

from harness.check.consistency import find_other_course, find_other_header, find_other_sizes
from harness.check.registry import ROUNDING_TOLERANCE, Check, Evidence, Registry, Result, Titles, judge_runs, register
from harness.check.unigram import UnigramEncoding
from harness.store.runs import StoredRun

SEPARATOR_CHARS = 5
"""Characters of the separator that follows each title in the metric's denominator."""
SPECIAL_TOKENS = ["<pad>", "<eos>", "<unk>"]
EOS_ID = 1

INTEGRITY: Registry = {}
integrity = partial(register, INTEGRITY)


def of_titles(name: str, title: str) -> Callable[[Callable[[Evidence, Titles], Result]], Check]:
    """Decorator that enters a check which needs the titles; without them it is NOT CHECKED."""

    def enter(check: Callable[[Evidence, Titles], Result]) -> Check:
        def check_with_titles(evidence: Evidence) -> Result:
            if isinstance(evidence.titles, str):
                return "NOT CHECKED", evidence.titles
            return check(evidence, evidence.titles)

        return integrity(name, title)(check_with_titles)

    return enter


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
        if not math.isclose(full, last["full_loss_nats_per_char"], rel_tol=ROUNDING_TOLERANCE):
            return f"losses by title give {full}, the journal says {last['full_loss_nats_per_char']}"
        return None

    return judge_runs(evidence, judge, "characters, tokens and losses by title give the last evaluation's totals")


@integrity("journals", "Every journal says what its record and the plan say, and does not contradict itself")
def check_journals(evidence: Evidence) -> Result:
    """Settings, machine, counts, steps, learning rates and clocks of a journal, and the sizes that follow from it."""

    def judge(run: StoredRun) -> str | None:
        sizes = evidence.comparison.plan.get_arm(run.arm).sizes
        return find_other_header(run, sizes) or find_other_sizes(run, sizes) or find_other_course(run, sizes)

    return judge_runs(evidence, judge, "settings, machine, counts, steps, learning rates and clocks agree")


@of_titles("fingerprints", "The titles are those the runs were fingerprinted with")
def check_fingerprints(evidence: Evidence, titles: Titles) -> Result:
    """The titles read again from their source have the recorded SHA-256, training and validation apart."""
    parts = {"train_sha256": titles.train, "validation_sha256": titles.validation}

    def judge(run: StoredRun) -> str | None:
        for key, titles in parts.items():
            found = hashlib.sha256(b"".join(title.encode() + b"\0" for title in titles)).hexdigest()
            if found != run.record["corpus"][key]:
                return f"{key} is {run.record['corpus'][key]}, the titles give {found}"
        return None

    return judge_runs(evidence, judge, "training and validation titles read again have the recorded SHA-256")


@of_titles("denominator", "The denominator is the characters of the titles")
def check_denominator(evidence: Evidence, titles: Titles) -> Result:
    """A longer separator, or markers put into the text, would make the loss per character smaller."""
    expected = [len(title) + SEPARATOR_CHARS for title in titles.validation]

    def judge(run: StoredRun) -> str | None:
        stored = {event["num_chars"] for event in run.select("validation_step")}
        if stored != {sum(expected)}:
            return f"divides by {sorted(stored)} characters; the validation titles have {sum(expected):,}"
        return None if run.load_title_losses()["num_chars"] == expected else "characters by title are not the titles'"

    return judge_runs(evidence, judge, f"{sum(expected):,} characters, counted again from the validation titles")


@of_titles("tokens", "No data augmentation: the tokens are those of the titles, each once, and nothing else")
def check_tokens(evidence: Evidence, titles: Titles) -> Result:
    """Both streams are the tokenized titles: no augmentation, no text changed before it is tokenized."""
    parts = {"train_ids_sha256": titles.train, "validation_ids_sha256": titles.validation}

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


@of_titles("round-trip", "The tokenizer gives every validation title back, and none is unknown")
def check_round_trip(evidence: Evidence, again: Titles) -> Result:
    """A tokenizer that loses text makes the text that is left easier to predict."""
    titles = again.validation

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


@of_titles("facts-by-title", "What is stored of each validation title is so")
def check_facts_by_title(evidence: Evidence, again: Titles) -> Result:
    """Tokens, kind, digits and membership in training, which the view by title is cut by."""
    titles, in_training = again.validation, set(again.train)
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


def load_encoding(path: Path) -> tiktoken.Encoding | UnigramEncoding:
    """The encoding that a stored `tokenizer.json` describes; `ValueError` where it is no usable tokenizer."""
    stored = json.loads(path.read_bytes())
    tokens = [bytes.fromhex(token) for token in stored["token_bytes_hex"]]
    num_special = len(SPECIAL_TOKENS)
    if stored["special_tokens"] != SPECIAL_TOKENS or len(set(tokens)) != len(tokens):
        raise ValueError(f"{path.name} does not begin with {', '.join(SPECIAL_TOKENS)}, or repeats a token")
    missing = [byte for byte in range(256) if bytes([byte]) not in tokens]
    if missing:
        raise ValueError(f"{path.name} has no token for byte {missing[0]}")
    if "token_scores" in stored:
        return UnigramEncoding(stored["split_pattern"], tokens, stored["token_scores"], num_special)
    return tiktoken.Encoding(
        path.name,
        pat_str=stored["split_pattern"],
        mergeable_ranks={token: place for place, token in enumerate(tokens) if place >= num_special},
        special_tokens={token: place for place, token in enumerate(SPECIAL_TOKENS)},
        explicit_n_vocab=len(tokens),
    )


def encode_titles(encoding: tiktoken.Encoding | UnigramEncoding, titles: list[str]) -> NDArray[np.int32]:
    """The stream of titles (n,): each title's ids after one space, then one `<eos>`; an empty title is that alone."""
    stream: list[int] = []
    for title in titles:
        stream += encoding.encode_ordinary(f" {title}") if title else []
        stream.append(EOS_ID)
    return np.array(stream, np.int32)
