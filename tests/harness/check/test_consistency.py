import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.launch.follow import JournalFollower
from harness.store.journals import load_journal
from mainrun.record.errors import StoredResultsError
from mainrun.record.journal import Journal

LINES = [
    b'{"event": "device_info", "timestamp": 1767225600.0, "device": "cpu"}',
    b'{"event": "training_step", "timestamp": 1767225601.5, "step": 1, "loss": 5.25}',
    b'{"event": "validation_step", "timestamp": 1767225602.5, "step": 1, "loss": 3.125, "span_loss_nats": [1.5]}',
]
EVENTS = [json.loads(line) for line in LINES]
anywhere = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "mainrun.log"
    path.write_bytes(b"".join(line + b"\n" for line in LINES))
    return path


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def is_plain_json(line: bytes) -> bool:
    """Whether a line is a JSON object of finite numbers: then it is no damage that could be seen."""

    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        value = json.loads(line, parse_constant=refuse)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def test_a_whole_journal_gives_its_events_in_order(journal: Path) -> None:
    assert load_journal(journal, finished=True) == EVENTS
    assert load_journal(journal, finished=False) == EVENTS


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoredResultsError, match=r"mainrun\.log is missing"):
        load_journal(tmp_path / "mainrun.log", finished=True)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"event"',
        b"17",
        b"{}",
        b'{"event": "x"}',
        b'{"timestamp": 1.0}',
        b'{"event": 3, "timestamp": 1.0}',
        b'{"event": "x", "timestamp": "1"}',
        b'{"event": "x", "timestamp": 1.0, "loss": NaN}',
        b'{"event": "x", "timestamp": 1.0, "loss": -Infinity}',
        b'{"event": "x", "timestamp": 1.0, "loss": 1e999}',
        b'{"event": "x", "timestamp": 1e999}',
        b'{"event": "x", "timestamp": 1.0} {"event": "y"}',
        b'{"event": "x", "timestamp": 1.0,}',
        b'{"event": "x", "timestamp": 1.0',
        b"{'event': 'x', 'timestamp': 1.0}",
        b"\xff\xfe\x00",
        b'{"event": "\xc3\x28", "timestamp": 1.0}',
        b"[" * 100_000,
        b'{"event": "x", "timestamp": ' + b"9" * 5_000 + b"}",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_damaged_line_is_refused_with_file_and_line(journal: Path, place: int, damage: bytes) -> None:
    write_lines(journal, [*LINES[:place], damage, *LINES[place + 1 :]])
    for finished in (True, False):
        with pytest.raises(StoredResultsError, match=rf"mainrun\.log, line {place + 1}\b"):
            load_journal(journal, finished=finished)


@anywhere
@given(place=st.integers(0, 2), position=st.integers(0, 200), junk=st.binary(max_size=6), cut=st.integers(0, 6))
def test_damage_anywhere_is_refused_or_still_one_object_a_line(
    journal: Path, place: int, position: int, junk: bytes, cut: int
) -> None:
    line = LINES[place]
    position %= len(line)
    damaged = line[:position] + junk + line[position + cut :]
    write_lines(journal, [*LINES[:place], damaged, *LINES[place + 1 :]])
    lines = journal.read_bytes().split(b"\n")[:-1]
    if all(map(is_plain_json, lines)):
        try:
            assert load_journal(journal, finished=True) == [json.loads(line) for line in lines]
        except StoredResultsError as error:
            assert "'event' or 'timestamp'" in str(error)
        return
    first_bad = next(number for number, line in enumerate(lines, 1) if not is_plain_json(line))
    with pytest.raises(StoredResultsError) as caught:
        load_journal(journal, finished=True)
    assert f"{journal}, line " in str(caught.value)
    if b"'event' or" not in str(caught.value).encode():
        assert f"line {first_bad}:" in str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@anywhere
@given(
    fields=st.dictionaries(
        st.text().filter(lambda name: name not in ("self", "event", "timestamp")), values, max_size=5
    )
)
def test_what_the_training_program_writes_comes_back_unchanged(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = tmp_path / "mainrun.log"
    with Journal(path) as journal:
        journal.write("x", **{**fields, "timestamp": 1.0})
    assert load_journal(path, finished=True) == [{"event": "x", "timestamp": 1.0, **fields}]


@pytest.mark.parametrize("num_bytes", [1, 10, 40, len(LINES[2])])
def test_half_a_last_line_is_left_out_only_of_a_run_that_is_not_finished(journal: Path, num_bytes: int) -> None:
    journal.write_bytes(b"".join(line + b"\n" for line in LINES[:2]) + LINES[2][:num_bytes])
    assert load_journal(journal, finished=False) == EVENTS[:2]
    with pytest.raises(StoredResultsError, match=r"line 3: the line is cut short"):
        load_journal(journal, finished=True)


@anywhere
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_a_follower_gives_every_event_once_however_the_writes_are_cut(tmp_path: Path, cuts: list[int]) -> None:
    content = b"".join(line + b"\n" for line in LINES)
    path = tmp_path / "mainrun.log"
    path.unlink(missing_ok=True)
    follower = JournalFollower(path)
    assert follower.read_new() == []
    found: list[Any] = []
    for end in [*sorted(min(cut, len(content)) for cut in cuts), len(content)]:
        path.write_bytes(content[:end])
        found += follower.read_new()
        num_lines = content[:end].count(b"\n")
        assert found == EVENTS[:num_lines]
    assert follower.read_new() == []


def test_a_follower_names_the_line_that_is_damaged(journal: Path) -> None:
    follower = JournalFollower(journal)
    follower.read_new()
    with journal.open("ab") as file:
        file.write(LINES[0] + b"\n" + b"{]\n")
    with pytest.raises(StoredResultsError, match=r"line 5\b"):
        follower.read_new()


@pytest.mark.parametrize("num_kept", [0, 1])
def test_a_follower_of_a_journal_that_is_cut_back_goes_on_with_what_is_new(journal: Path, num_kept: int) -> None:
    """A resumed run first cuts its journal back to its checkpoint, while it is already being followed."""
    follower = JournalFollower(journal)
    assert follower.read_new() == EVENTS
    resumed = b'{"event": "run_resumed", "timestamp": 1767225700.0, "step": 0, "gap_s": 98.5}'
    later = b'{"event": "training_step", "timestamp": 1767225701.0, "step": 1, "loss": 5.2500001}'
    write_lines(journal, [*LINES[:num_kept], resumed, later, *LINES[2:]])
    assert json.loads(later) in follower.read_new()
