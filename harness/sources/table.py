"""A table with one row a step, or one row a step and metric, in our journal's words.

A table does not say its unit, so `--loss-unit` does: a validation loss per character is the task's frozen loss; one
per token compares between equal tokenizers only.
"""

from itertools import chain
from pathlib import Path

from harness.formats import format_number_of, quote
from harness.sources.cells import INFINITIES, NO_NUMBERS, Marks, read_count, read_number, says_none
from harness.sources.columns import Columns, choose_columns, list_bounds
from harness.sources.layout import Layout, find_layout
from harness.sources.lines import LostStep
from harness.sources.ordering import list_some
from harness.sources.rows import Row, Rows, find_dialect
from harness.sources.runs import Runs
from harness.sources.source_log import Importer, LossUnit, SourceLog
from harness.sources.sparse import Strangers, find_strangers, is_number
from harness.sources.steps import enter_step, make_training_step, make_validation_step
from harness.sources.table_end import describe_end
from harness.sources.text import read_beginning
from harness.store.facts import MAX_STEPS
from mainrun.record.errors import RequestError


def read_table(path: Path, name: str, unit: LossUnit | None) -> SourceLog:
    """Reads a table; `RequestError` with file and line for what is none, or can be read in more than one way."""
    rows = Rows(path, name)
    layout = find_layout(rows, name)
    columns = choose_columns(layout.names, unit, name)
    needed = {*layout.keys, layout.value or "", columns.rate or "", *columns.losses,
              *list_bounds(layout.names, columns.validation)}  # fmt: skip
    rows.keep_only(needed)
    comma, is_sparse = _look_through(rows, name, layout, columns)
    strangers: Strangers = {}
    if is_sparse:
        rows.keep_only(None)
        strangers = find_strangers(rows, layout, columns)
        rows.keep_only({*needed, *chain(*strangers.values())})
    table = _Table(name, layout, columns, comma, rows.dialect.form == "csv", strangers)
    for row in rows:
        if rows.open_end and rows.ends_with(layout.step) and table.goes_back(row):
            table.leave_out_end(row)
        else:
            table.take(row)
    table.end()
    if not table.runs.can_be_judged:
        raise RequestError(f"{name}: no row has a number in the column {quote(columns.validation)}.")
    notes = [*rows.notes, *layout.notes, *columns.notes, *table.runs.describe(), *table.describe()]
    if rows.open_end:
        notes += describe_end(rows, name, layout, columns)
    if rows.num_ignored:
        notes.append(f"{format_number_of(rows.num_ignored, 'line')} of other text ignored")
    return table.runs.conclude(notes)


def claims_table(path: Path) -> bool:
    """Whether the beginning of a file is a table's."""
    return find_dialect(read_beginning(path)) is not None


IMPORTER = Importer("csv", "the table", "source.csv", claims_table, read_table, frozenset({".csv", ".tsv"}))


def _look_through(rows: Rows, name: str, layout: Layout, columns: Columns) -> tuple[bool, bool]:
    """Whether the losses are written with decimal commas, `RequestError` where that is not clear; and whether a cell
    says that there is none.
    """
    marks, is_sparse = Marks(), False
    for row in rows:
        cells = layout.get_cells(row)
        for column in columns.losses:
            if column in cells:
                marks.look_at(row.line, cells[column])
                is_sparse = is_sparse or says_none(cells[column])
    problem = marks.find_problem(rows.dialect.separator)
    if problem is not None:
        raise RequestError(f"{name}, {problem}")
    return marks.comma is not None, is_sparse


class _Table:
    """The rows of one table on their way into runs."""

    def __init__(
        self, name: str, layout: Layout, columns: Columns, comma: bool, is_csv: bool, strangers: Strangers
    ) -> None:  # fmt: skip
        self._name, self._layout, self._columns, self._comma, self._is_csv = name, layout, columns, comma, is_csv
        self._strangers = strangers
        self._steps: list[int] = []
        """The newest two."""
        self._end: list[str] = []
        self._bounds = list_bounds(layout.names, columns.validation)
        self._left_out: list[str] = []
        self._num_without_step = 0
        self._num_filled = 0
        self._num_blank = 0
        """Rows without a loss that follow rows of which each has one."""
        self._has_gaps = False
        self._has_no_number = False
        self._writes_no_number_for_none = False
        """Whether an evaluation followed rows whose evaluation is no number: so the table writes none."""
        self.runs = Runs(name)

    def take(self, row: Row) -> None:
        """Takes one row; `RequestError` where it cannot be read."""
        if row.is_header:
            self.runs.begin(row.line)
            self._forget_blank()
            self._steps = []
            return
        cells = self._layout.get_cells(row)
        text = row.cells.get(self._layout.step, "")
        is_filled = any(column in cells for column in self._columns.losses)
        if not text and not (self._is_csv and is_filled):
            self._num_without_step += 1
            return
        step = read_count(text)
        if step is None or step > MAX_STEPS:
            raise RequestError(f"{self._name}, line {row.line}: the step is {quote(text)}, no whole number.")
        if self._layout.run is not None and self._layout.run in row.cells:
            self.runs.come_from(f"{self._layout.run} {row.cells[self._layout.run]}", row.line)
        epoch = read_number(row.cells.get(self._layout.epoch or "", ""), comma=self._comma)
        self._steps = [*self._steps[-1:], step]
        self._watch_blank(step, is_filled)
        taken = [column for column in (self._columns.training, self._columns.validation)
                 if column in cells and not self._is_of_another_kind(column, row)]  # fmt: skip
        if self._columns.training in taken:
            self._take_training(step, row.line, cells, epoch)
        if self._columns.validation in taken:
            self._take_validation(step, row.line, cells, epoch)
        if not taken:
            self.runs.see(step)

    def goes_back(self, row: Row) -> bool:
        """Whether steps that rose until now fall in a row."""
        step = read_count(row.cells.get(self._layout.step, ""))
        return step is not None and len(self._steps) == 2 and step < self._steps[1] >= self._steps[0]

    def leave_out_end(self, row: Row) -> None:
        """Leaves out a last line without an end, whose step may be cut short."""
        step = quote(row.cells[self._layout.step])
        self._end = [f"the last line, {row.line:,}, has no end and goes back to step {step}, cut short: left out"]

    def end(self) -> None:
        """Rows that go on without losses after rows that all had one show that something ended, and not what."""
        if not self._has_gaps and self._num_filled > 1 and self._num_blank > 1 and self._layout.value is None:
            self.runs.fall_silent()

    def describe(self) -> list[str]:
        """Notes on what was left out."""
        notes = self._end
        if self._comma:
            notes.append("decimal commas are read as decimal points")
        if self._left_out:
            cells = format_number_of(len(self._left_out), "cell")
            notes.append(f"{cells} left out, without a number: {list_some(self._left_out)}")
        if self._num_without_step:
            notes.append(f"{format_number_of(self._num_without_step, 'row')} without a step left out")
        return notes

    def _is_of_another_kind(self, column: str, row: Row) -> bool:
        """Whether a cell is no number because its row holds what is never measured together with its column."""
        text = row.cells.get(column, "")
        others = self._strangers.get(column, ())
        if not says_none(text) or not any(is_number(row.cells.get(other, "")) for other in others):
            return False
        self._left_out.append(f"{quote(text)} in line {row.line:,}, column {column}")
        return True

    def _take_training(self, step: int, line: int, cells: dict[str, str], epoch: float | None) -> None:
        assert self._columns.training is not None
        loss = self._read_loss("training_step", self._columns.training, cells, step, line, epoch)
        if loss is not None:
            rate = read_number(cells.get(self._columns.rate or "", ""), comma=self._comma)
            enter_step(self.runs, make_training_step(step, loss, rate), line, epoch)

    def _take_validation(self, step: int, line: int, cells: dict[str, str], epoch: float | None) -> None:
        text = cells[self._columns.validation].lower()
        trained = read_number(cells.get(self._columns.training or "", ""), comma=self._comma) is not None
        if text in NO_NUMBERS and trained and self._writes_no_number_for_none:
            self._left_out.append(f"{quote(text)} in line {line:,}, column {self._columns.validation}")
            return
        loss = self._read_loss("validation_step", self._columns.validation, cells, step, line, epoch)
        self._writes_no_number_for_none |= loss is not None and self._has_no_number
        self._has_no_number |= text in NO_NUMBERS
        if loss is None:
            return
        for bound in self._bounds:
            other = read_number(cells.get(bound, ""), comma=self._comma)
            if other is not None and other != loss:
                raise RequestError(
                    f"{self._name}, line {line}: {loss:g} is made of several values, {bound} being {other:g}, and "
                    "is no measurement. Export the history of the run instead of the chart."
                )
        full = None
        if self._columns.full in cells:
            assert self._columns.full is not None
            full = self._read_loss("validation_step", self._columns.full, cells, step, line, epoch, is_full=True)
        enter_step(self.runs, make_validation_step(step, loss, full, self._columns.unit), line, epoch)

    def _read_loss(
        self, kind: str, column: str, cells: dict[str, str], step: int, line: int, epoch: float | None,
        is_full: bool = False,
    ) -> float | None:  # fmt: skip
        """The number in a cell; where there is none, what that means for the run is told to `runs`."""
        text = cells[column]
        number = read_number(text, comma=self._comma)
        if number is not None:
            return number
        is_final = text.lower() in INFINITIES
        if is_final or not is_full:
            is_no_number = is_final or says_none(text)
            self.runs.lose(LostStep(kind, step, quote(text), is_no_number, epoch, is_final), line)
        self._left_out.append(f"{quote(text)} in line {line:,}, column {column}")
        return None

    def _watch_blank(self, step: int, is_filled: bool) -> None:
        if step <= 1:
            self._forget_blank()
        if is_filled:
            self._has_gaps |= self._num_blank > 0
            self._num_blank = 0
            self._num_filled += 1
        else:
            self._num_blank += 1

    def _forget_blank(self) -> None:
        self._num_blank, self._has_gaps, self._num_filled = 0, False, 0
