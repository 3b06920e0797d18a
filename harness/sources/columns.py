"""Which column of a table, or tag of event files, is the step, the validation loss and the training loss.

A name is known or it is not: what else a source holds is named in a note, and nothing is taken for a loss by its
place or its values.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.formats import quote
from harness.sources.source_log import LOSS_UNITS, LossUnit
from mainrun.record.errors import RequestError

STEPS = (
    *("global_step", "trainer/global_step", "train/global_step", "step", "steps", "training_step"),
    *("iteration", "iterations", "iter", "_step"),
)
"""The first that is there counts; `step` may begin anew in each epoch where a global step stands beside it, and `_step`
counts the lines that wandb was given."""
TRAINING = (
    *("train/loss_nats_per_token", "train/loss", "loss/train", "train_loss", "training_loss", "loss_train"),
    "train/epoch_loss",
)
_OWN = "validation/frozen_loss_nats_per_char"
VALIDATION = (
    *(_OWN, "validation/loss", "val/loss", "loss/val", "loss/validation", "valid/loss", "loss/valid"),
    *("eval/loss", "loss/eval", "val_loss", "validation_loss", "valid_loss", "eval_loss", "loss_val"),
    *("loss_validation", "loss_eval", "validation/epoch_loss", "val"),
)
FULL = "validation/full_loss_nats_per_char"
RATES = ("train/learning_rate", "learning_rate", "lr", "train/lr")
EPOCHS = ("epoch", "trainer/epoch", "train/epoch", "epochs")
MAX_NAMES = 20
"""Of so many columns or tags a message gives the names."""
_MEASURE = re.compile(r"(val|valid|validation|eval)[_/.](?!_).+")
"""A measure of the evaluation that says in its name which one it is."""
_WANDB = re.compile(r"(.+) - (.+?)(__(?:min|max))?", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """The names by what they are, as they stand in the source; None for what is not there."""

    validation: str
    training: str | None
    full: str | None
    rate: str | None
    unit: LossUnit
    notes: tuple[str, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        return tuple(name for name in (self.validation, self.training, self.full) if name is not None)


def choose_columns(names: Sequence[str], unit: LossUnit | None, where: str) -> Columns:
    """The columns among `names`, which a message calls by `where`.

    Raises `RequestError` where there is no validation loss, more than one that could be it, or no unit.
    """
    notes: list[str] = []
    validation = _choose(names, VALIDATION, "validation loss", where)
    if validation is None:
        raise RequestError(
            f"{where} has no validation loss: a column or tag named one of {', '.join(VALIDATION)}. "
            f"It has: {list_names(sorted(names))}."
        )
    _, found = _split_run(validation)
    runs = sorted(run for run, name in map(_split_run, names) if run and name in (*VALIDATION, *TRAINING))
    if runs:
        notes.append(f"{quote(validation)} is taken for the {found} of the run {quote(runs[0])}")
    if "loss" not in found:
        notes.append(f"{quote(validation)} is taken for the validation loss, which its name does not say")
        _refuse_bare_name(names, validation, where)
    if found.endswith("nats_per_char"):
        unit = "nats_per_char"
    if unit is None:
        raise RequestError(f"{where} does not say the unit of its losses. Give --loss-unit {' or '.join(LOSS_UNITS)}.")
    # Beside the time of the whole training, `train_loss` is its mean, as Hugging Face's Trainer writes it at the end.
    of_steps = [name for name in names if name != "train_loss"] if "train_runtime" in names else names
    training = _choose(of_steps, TRAINING, "training loss", where)
    full = _choose(names, (FULL,), "full loss", where)
    rate = next((name for wanted in RATES for name in names if fold_name(name) == wanted), None)
    used = {validation, training, full, rate}
    rest = sorted(name for name in names if name not in used)
    if rest:
        notes.append(f"columns or tags that are not used: {list_names(rest)}")
    return Columns(validation, training, full, rate, unit, tuple(notes))


def list_names(names: Sequence[str]) -> str:
    """Names as a message shows them."""
    shown = ", ".join(map(quote, names[:MAX_NAMES]))
    return f"{shown}{' and more' * (len(names) > MAX_NAMES)}" or "nothing"


def fold_name(name: str) -> str:
    """A name as the known ones are written: `val_loss` for `Val Loss` and `val-loss`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def advise_step(names: Iterable[str]) -> str:
    """What to do about columns without a step, in a sentence that goes on behind a message; empty without an idea."""
    epoch = next((name for name in names if name.lower() in EPOCHS), None)
    return f" Name {quote(epoch)} 'step' where each row is of one epoch, or add the steps." if epoch else ""


def list_bounds(names: Sequence[str], column: str) -> list[str]:
    """The columns in which a chart's export keeps the lowest and highest value behind each value of `column`."""
    return [name for name in names if name.lower() in (f"{column.lower()}__min", f"{column.lower()}__max")]


def _choose(names: Sequence[str], wanted: Sequence[str], what: str, where: str) -> str | None:
    """The one name among the wanted ones; the program's own goes before all others."""
    there = [name for name in names if _split_run(name)[1] in wanted]
    own = [name for name in there if name.lower().endswith(("nats_per_char", "nats_per_token"))]
    # Keras writes means of an epoch, which others write beside the losses of the steps.
    there = own or [name for name in there if not name.lower().endswith("epoch_loss")] or there
    if len(there) > 1:
        raise RequestError(
            f"{where} has more than one {what}: {list_names(there)}. Which one is meant is not known: leave one."
        )
    return there[0] if there else None


def _refuse_bare_name(names: Sequence[str], validation: str, where: str) -> None:
    """Raises `RequestError` where other measures of the evaluation have names, and the one chosen has none."""
    named = [name for name in names if _MEASURE.fullmatch(_split_run(name)[1])]
    if named:
        raise RequestError(
            f"{where} has {quote(validation)} beside {list_names(named)}: whether it is a loss is not said. Name it "
            "val_loss if it is one."
        )


def _split_run(name: str) -> tuple[str | None, str]:
    """The run that a chart's export puts before a column's name, and the folded name without it."""
    match = _WANDB.fullmatch(name)
    return (match[1], fold_name(match[2])) if match and not match[3] else (None, fold_name(name))
