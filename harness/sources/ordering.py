"""The steps of one run in order: each once, without those that a resumed run has trained again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter, lt

from harness.formats import format_number_of
from harness.store.journals import Event

MAX_NAMED = 5
"""Lines or names listed in one note; of more, the number is given."""
MAX_STRETCHES = 1_000
"""A source whose steps go back more often is shuffled, and no run that was resumed."""
_GET_STEP = itemgetter("step")
_LOSSES = ("loss", "full_loss_nats_per_char")


@dataclass(frozen=True)
class Places:
    """How notes call the places in a source."""

    noun: str = "line"
    show: Callable[[int], str] = "{:,}".format

    def name(self, line: int) -> str:
        """One place: `line 12`."""
        return f"{self.noun} {self.show(line)}"


LINES = Places()


def put_in_order(
    steps: Sequence[Event], places: Places, *, is_thinned: bool
) -> tuple[list[Event], list[Event], int | None, list[str]]:
    """Training and evaluation steps of one run in order, `max_steps`, and notes.

    `max_steps` is as most steps give it or, where the run goes on to a longer plan, as the later ones do.
    Of two lines for a step the later one counts. Of training steps that were thinned out it is not said that some are
    missing.
    """
    steps, resumed_notes = _drop_what_was_trained_again(steps, places)
    max_steps, max_notes = _find_max_steps(steps, places)
    training, training_notes = _order(steps, "training_step", max_steps, places)
    missing = [] if is_thinned else _describe_missing([event["step"] for event in training])
    validation, validation_notes = _order(steps, "validation_step", max_steps, places)
    notes = [*resumed_notes, *max_notes, *training_notes, *missing, *validation_notes]
    return training, validation, max_steps, notes


def differ(one: Event, other: Event) -> bool:
    """Whether two events say different things, wherever and whenever they do."""
    return {**one, "line": 0, "timestamp": 0} != {**other, "line": 0, "timestamp": 0}


def list_some(items: Sequence[str], separator: str = ", ") -> str:
    """The first items, and how many more there are."""
    text = separator.join(items[:MAX_NAMED])
    return text if len(items) <= MAX_NAMED else f"{text} and {len(items) - MAX_NAMED:,} more"


def _drop_what_was_trained_again(steps: Sequence[Event], places: Places) -> tuple[Sequence[Event], list[str]]:
    """The steps without those after which the run went back to an earlier step and trained them once more."""
    returns: list[Event] = []
    for kind in ("training_step", "validation_step"):
        chosen = [event for event in steps if event["event"] == kind]
        if not all(before < after for before, after in pairwise(map(_GET_STEP, chosen))):
            returns += _find_returns(chosen)
    if not returns:
        return steps, []
    attempts = _group_by_attempt(returns)
    kept = [event for event in steps if not any(_is_trained_again(event, attempt) for attempt in attempts)]
    where = list_some([f"to step {first['step']:,} at {places.name(first['line'])}" for first, *_ in attempts])
    dropped = format_number_of(len(steps) - len(kept), "measurement")
    return kept, [f"the run goes back {where} and is trained from there again: {dropped} of before left out"]


def _find_returns(events: Sequence[Event]) -> list[Event]:
    """Where events of one kind go back: the first of each rising stretch that lies among several earlier ones."""
    seen: dict[int, Event] = {}
    stretches: list[list[Event]] = []
    for event in events:
        step = event["step"]
        if step in seen and not differ(seen[step], event):
            continue  # a copy of a line says nothing new
        seen[step] = event
        if stretches and stretches[-1][-1]["step"] < step:
            stretches[-1].append(event)
        else:
            stretches.append([event])
    if len(stretches) > MAX_STRETCHES:
        return []
    returns = []
    alive = stretches[0]
    for stretch in stretches[1:]:
        first, last = stretch[0]["step"], stretch[-1]["step"]
        highest = max(map(_GET_STEP, alive))
        num_again = sum(event["step"] <= highest for event in stretch)
        gone = [event for event in alive if event["step"] >= first]
        lies_among = any(event["step"] <= last for event in gone)
        if num_again > 1 and len(gone) > 1 and lies_among:
            returns.append(stretch[0])
            alive = [event for event in alive if event["step"] < first]
        alive = [*alive, *stretch]
    return returns


def _group_by_attempt(returns: Sequence[Event]) -> list[list[Event]]:
    """The returns of training and evaluation that belong to one attempt, in the order of the attempts."""
    attempts: list[list[Event]] = []
    for found in sorted(returns, key=itemgetter("line")):
        if attempts and found["event"] not in [other["event"] for other in attempts[-1]]:
            attempts[-1].append(found)
        else:
            attempts.append([found])
    return attempts


def _is_trained_again(event: Event, attempt: Sequence[Event]) -> bool:
    """Whether an event is of before an attempt, and of a step that the attempt came to again."""
    begin = attempt[0]["line"]
    return any(
        event["line"] < (found["line"] if found["event"] == event["event"] else begin)
        and event["step"] >= found["step"]
        for found in attempt
    )


def _find_max_steps(steps: Sequence[Event], places: Places) -> tuple[int | None, list[str]]:
    counts = Counter(map(itemgetter("max_steps"), steps))
    del counts[None]
    if not counts:
        return None, []
    chosen: int = counts.most_common()[0][0]
    if len(counts) == 1:
        return chosen, []
    how = "the most frequent"
    later = next(event["max_steps"] for event in reversed(steps) if event["max_steps"] is not None)
    if later > chosen and _is_gone_on_with(steps, chosen, later):
        chosen, how = later, f"to which the run goes on beyond {chosen:,}"
    odd = next(event["line"] for event in steps if event["max_steps"] not in (None, chosen))
    return chosen, [f"max_steps is not the same everywhere ({places.name(odd)}); {chosen:,}, {how}, is taken"]


def _is_gone_on_with(steps: Sequence[Event], planned: int, later: int) -> bool:
    """Whether a longer plan took the place of one, once and for all, and the run went beyond the first."""
    begin = next(place for place, event in enumerate(steps) if event["max_steps"] == later)
    with_later = [event for event in steps[begin:] if event["max_steps"] is not None]
    return all(event["max_steps"] == later for event in with_later) and any(
        event["step"] > planned for event in with_later
    )


def _order(
    steps: Sequence[Event], kind: str, max_steps: int | None, places: Places
) -> tuple[list[Event], list[str]]:  # fmt: skip
    """The events of one kind by step, each step once."""
    chosen = [event for event in steps if event["event"] == kind]
    numbers = list(map(_GET_STEP, chosen))
    if all(map(lt, numbers, numbers[1:])) and (max_steps is None or not numbers or numbers[-1] <= max_steps):
        return chosen, []
    by_step: dict[int, Event] = {}
    other: dict[int, str] = {}
    beyond, again, backwards, previous = [], [], [], -1
    for event in chosen:
        step = event["step"]
        if max_steps is not None and step > max_steps:
            beyond.append(places.show(event["line"]))
            continue
        if step in by_step:
            if all(by_step[step].get(field) == event.get(field) for field in _LOSSES):
                again.append(places.show(event["line"]))
            else:
                other[step] = f"step {step:,} at {places.name(event['line'])}"
        elif step < previous:
            backwards.append(places.show(event["line"]))
        previous = step
        by_step[step] = event
    notes = []
    for lines, what in (
        (beyond, f"{kind} beyond the last step, left out"),
        (again, f"{kind} of a step that was there before, the later one is taken"),
        (backwards, f"{kind} out of order, put in order"),
    ):
        if lines:
            notes.append(f"{what}: {format_number_of(len(lines), places.noun)} ({list_some(lines)})")
    if other:  # the last step first, as it is the one that is judged
        named = list_some([other[step] for step in sorted(other, reverse=True)])
        notes.append(f"{kind} of a step that was there before with another loss, the later one is taken: {named}")
    numbers = sorted(by_step)
    return [by_step[step] for step in numbers], notes


def _describe_missing(numbers: Sequence[int]) -> list[str]:
    """The training steps that a run of ordered steps leaves out; evaluations are not due at every step."""
    missing = numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0
    return [f"{missing:,} training steps between the first and the last are not in the log"] if missing else []
