"""Where in the rows of a table the measurements stand: a column each, or one column with their names."""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.sources.cells import read_count
from harness.sources.columns import EPOCHS, STEPS, TRAINING, VALIDATION, advise_step, fold_name, list_names
from harness.sources.rows import DOWNLOAD, Row, Rows
from mainrun.record.errors import RequestError

_NAMES = ("metric", "metric_name", "tag", "key", "variable", "series", "measure", "name")
_VALUES = ("value", "val", "metric_value", "scalar", "y")
_SPLITS = ("split", "phase", "subset", "mode", "stage", "set")
_RUNS = ("run_id", "run id", "run_name", "run name", "run", "experiment", "exp", "trial", "fold", "rank", "seed")
"""Columns that tell the rows of several runs apart."""
_TAG = re.compile(r".*tag-(.+?)(\.(csv|json))?(\.gz)?", re.IGNORECASE)
MAX_METRICS = 1_000
"""A column with more different texts holds no names."""


@dataclass(frozen=True)
class Layout:
    """The columns that say what a row is of; None for what is not there."""

    step: str
    epoch: str | None
    run: str | None
    names: tuple[str, ...]
    """The measurements there are: columns, or the names in one."""
    notes: tuple[str, ...]
    metric: str | None = None
    """The column with the measurement's name, where each has a row of its own."""
    value: str | None = None
    """The column with the value of the one measurement of a row."""
    suffix: str = ""
    """What the value is of each name, where the name alone does not say it."""
    tag: str | None = None
    """The one measurement there is, where no column names it."""

    @property
    def keys(self) -> list[str]:
        """Columns that are no measurements."""
        return [name for name in (self.step, self.epoch, self.run, self.metric) if name is not None]

    def get_cells(self, row: Row) -> dict[str, str]:
        """The measurements of a row by their names."""
        if self.value is None:
            return row.cells
        name = self.tag or (f"{row.cells.get(self.metric or '', '')}{self.suffix}")
        return {name: row.cells[self.value]} if self.value in row.cells else {}


def find_layout(rows: Rows, name: str) -> Layout:
    """The layout of a table, of which all rows are looked at; `RequestError` where it has no step."""
    columns: dict[str, None] = {}
    texts: dict[str, dict[str, None]] = {}
    counts: dict[str, int] = {}
    backwards: set[str] = set()
    for row in rows:
        columns |= dict.fromkeys(row.cells)
        for column, cell in row.cells.items():
            if column.lower() in (*_NAMES, *_SPLITS) and len(texts.setdefault(column, {})) < MAX_METRICS:
                texts[column][cell] = None
            elif column.lower() in STEPS:
                number = read_count(cell) or 0
                backwards |= {column} if number < counts.get(column, 0) else set()
                counts[column] = number
    found = {column.lower(): column for column in columns}
    for one, other in pairwise(sorted(columns, key=str.lower)):
        if one.lower() == other.lower() and one.lower() in STEPS:
            raise RequestError(f"{name}: the columns {one!r} and {other!r} are both the step. Leave one of them.")
    steps = [found[step] for step in STEPS if step in found]
    if not steps:
        raise RequestError(
            f"{name}: no column named step has a value. It has: {list_names(list(columns))}.{advise_step(columns)}"
        )
    # A counter that goes back beside one that goes on counts the steps of an epoch.
    steps.sort(key=lambda column: column in backwards)
    notes = [f"{steps[0]} is taken for the step, beside {', '.join(steps[1:])}"] if len(steps) > 1 else []
    if steps[0].lower() == "_step":
        notes.append("_step, which is taken for the step, counts the calls of wandb's log and no updates")
    epoch, run = (next((found[wanted] for wanted in names if wanted in found), None) for names in (EPOCHS, _RUNS))
    measured = tuple(column for column in columns if column not in (*steps, epoch, run))
    wide = Layout(steps[0], epoch, run, measured, tuple(notes))
    long = _make_long(wide, name, found, texts)
    if long is None:
        return wide
    return replace(long, notes=(*notes, f"read as a row for each of: {list_names(long.names)}"))


def _make_long(wide: Layout, name: str, found: dict[str, str], texts: dict[str, dict[str, None]]) -> Layout | None:
    """The layout of a table that names its measurements in its rows or nowhere; None for any other."""
    known = [column for column in found if fold_name(column) in VALIDATION and column != "val"]
    value = next((found[wanted] for wanted in _VALUES if wanted in found), None)
    metric = next((found[wanted] for wanted in _NAMES if wanted in found), None)
    split = next((found[wanted] for wanted in _SPLITS if wanted in found), None)
    if found.keys() == {*DOWNLOAD}:
        tag = _find_tag(name)
        return replace(wide, names=(tag,), value=value, tag=tag)
    if metric is not None and value is not None and not known:
        return replace(wide, names=tuple(texts[metric]), metric=metric, value=value)
    if split is not None and "loss" in found and not known:
        names = tuple(f"{text}/loss" for text in texts[split])
        return replace(wide, names=names, metric=split, value=found["loss"], suffix="/loss")
    return None


def _find_tag(name: str) -> str:
    """Which measurement a download of TensorBoard holds: only its name says so."""
    match = _TAG.fullmatch(name)
    if match is None:
        raise RequestError(
            f"{name}, line 1: the columns are those of a download of TensorBoard; 'Value' does not say of which tag. "
            "Write its name in place of 'Value', such as val_loss, or keep the name that TensorBoard gives the file, "
            "which ends in tag-val_loss.csv."
        )
    known = {re.sub(r"\W", "_", tag): tag for tag in (*TRAINING, *VALIDATION)}
    return known.get(match[1].lower(), match[1])
