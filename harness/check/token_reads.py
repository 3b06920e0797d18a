"""How often each training token is read: the program's own choice of what a step reads, counted here.

That choice is what is judged, so it alone is the training program's; where the rule stands, and the count, are not.
"""

from collections import Counter
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.check.encoding import EOS_ID, encode_titles
from harness.check.known_code import find_changed_files, hash_working_tree
from harness.check.registry import NO_CODE, Evidence, Registry, UnvouchedError, register_of_runs
from harness.check.rules import EPOCHS, count_step_tokens
from harness.store.facts import AbsentError, known
from harness.store.runs import StoredRun
from mainrun.data.batches import find_first, order_titles

READS: Registry = {}
of_runs = partial(register_of_runs, READS)
READER = "data/batches.py"
OTHER_RELEASE = "what its steps read was chosen by another release than the one that stands here"


def _format_reads(evidence: Evidence) -> str:
    runs = [run for run in evidence.comparison.trained if run.is_complete]
    return "; ".join(dict.fromkeys(map(_describe, runs)))


def _describe(run: StoredRun) -> str:
    num_ids, per_step = known(run.facts.num_train_tokens, NO_CODE), count_step_tokens(run)
    if run.record["config"]["training.order"] == "shuffled":
        return f"of {num_ids:,} training tokens each is a target once an epoch, but its last {num_ids % per_step:,}"
    often = Counter(walk(num_ids, per_step, len(run.select("training_step"))))
    least, most, left = min(often.values()), max(often.values()), num_ids - per_step * len(often)
    times = f"{most}" if least == most else f"{least} to {most}"
    return f"of {num_ids:,} training tokens each is a target {times} times, but {left:,} that are never one"


@of_runs("reads", "Every training token is read as often as the rules allow", _format_reads)
def check_reads(evidence: Evidence, run: StoredRun) -> str | None:
    """Each is a target once an epoch, but those that are left over; none is read more often, in whatever order."""
    code = known(run.facts.source_sha256, NO_CODE)
    if code.get(READER) != hash_working_tree()[READER]:
        if find_changed_files(code):
            raise UnvouchedError(f"its {READER} is not the one that stands here")
        raise AbsentError(OTHER_RELEASE)
    num_ids, per_step = known(run.facts.num_train_tokens, NO_CODE), count_step_tokens(run)
    if run.record["config"]["training.order"] == "fixed":
        return _find_other_place(num_ids, per_step, len(run.select("training_step")))
    ids = encode_titles(run.tokenizer_path, evidence.need_titles().train)
    problems = (find_other_order(ids, order_titles(ids.astype(np.int64), run.seed, epoch)) for epoch in range(EPOCHS))
    return next((f"epoch {epoch + 1} {problem}" for epoch, problem in enumerate(problems) if problem), None)


def walk(num_ids: int, per_step: int, num_steps: int) -> list[int]:
    """Where each step's read of `per_step` + 1 ids begins, by the rule: at 0 again where no whole read is left."""
    places, place = [], 0
    for _ in range(num_steps):
        places.append(place)
        place = place + per_step if place + 2 * per_step + 1 <= num_ids else 0
    return places


def find_other_order(ids: NDArray[np.int32], places: NDArray[np.int64]) -> str | None:
    """What is wrong with an epoch's order `places` of the stream `ids`, both (n,): each place once, no title cut."""
    counts = np.bincount(places, minlength=len(ids))
    wrong = np.flatnonzero(counts != 1)
    if len(wrong) or len(places) != len(ids):
        times = f", the token at {wrong[0]:,} {counts[wrong[0]]:,} times" if len(wrong) else ""
        return f"reads {len(places):,} tokens of {len(ids):,}{times}"
    cut = np.flatnonzero((np.diff(places) != 1) & (ids[places[:-1]] != EOS_ID))
    return f"cuts the title of the token at {places[cut[0]]:,}" if len(cut) else None


def _find_other_place(num_ids: int, per_step: int, num_steps: int) -> str | None:
    for step, due in enumerate(walk(num_ids, per_step, num_steps), 1):
        if (found := find_first(step, num_ids, per_step)) != due:
            return f"step {step} reads from token {found:,}, by the rule from {due:,}"
    return None
