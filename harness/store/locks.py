"""Before a stored comparison is read or made again: nobody else is at it, nothing in it leads outside, and what it was
made from has not changed since.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.store.document import FILE_NAME as DOCUMENT_NAME
from harness.store.document import load_origin
from harness.store.records import COMPLETE
from harness.store.runs import CHECKOUT_FOLDER, RUNS_FOLDER, WORK_FOLDER
from mainrun.record.errors import MachineError, ProgramError, RequestError, StoredResultsError
from mainrun.record.file_lock import lock
from mainrun.record.files import compute_file_sha256
from mainrun.record.run_record import FILE_NAME as RECORD_NAME

MAX_FILE_BYTES = 2 * 2**30
"""Of a file of a comparison, and so of one that is taken in."""
CHECKPOINT_SUFFIX = ".pt"
"""Of states and weights, which the harness does not read."""


@contextmanager
def hold(folder: Path, *, shared: bool = False, is_new: bool = False) -> Iterator[None]:
    """Keeps every other process from the comparison; readers that are `shared` do not keep each other out.

    On a file system without locks nobody is kept out, and that is said.

    Raises `RequestError` where another process holds it, `StoredResultsError` where there is no such folder, where it
    holds no plan and is not to be filled (`is_new`), or where a symbolic link in it leads outside.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        problem = "it is a file. Name its folder" if folder.is_file() else "there is no such folder"
        raise StoredResultsError(f"{folder} is no comparison: {problem}.") from None
    except OSError as error:
        raise MachineError(f"{folder} cannot be read: {error.strerror}.") from error
    if not (is_new or (folder / PLAN_NAME).exists()):
        os.close(descriptor)
        raise StoredResultsError(
            f"{folder} is no comparison: {folder / PLAN_NAME} is missing. Name the folder of one: the verb list has "
            "those in results/."
        )
    try:
        lock(descriptor, folder, shared=shared)
    except BlockingIOError:
        os.close(descriptor)
        raise RequestError(f"Another process is at work in {folder}. Wait for it, or end it.") from None
    try:
        _refuse_special(folder)
        yield
    finally:
        os.close(descriptor)


def find_changes(folder: Path) -> dict[str, tuple[str | None, str]] | None:
    """Path, SHA-256 now (None: gone) and SHA-256 then of the plan and records that changed since the stored numbers.

    None where nothing can be said: there are no numbers yet, or they are damaged.
    """
    try:
        stored = dict(load_origin(folder)["sha256"])
    except (ProgramError, LookupError, TypeError, ValueError):
        return None
    found = {name: compute_file_sha256(folder / name) if (folder / name).is_file() else None for name in stored}
    return {name: (found[name], due) for name, due in stored.items() if found[name] != due}


def refuse_changes(folder: Path) -> None:
    """Raises `StoredResultsError` where the plan, or the record of a run that was complete, changed since the numbers.

    The record of any other run may change: it was trained on.
    """
    changes = find_changes(folder)
    if not changes:
        return
    runs = load_origin(folder)["runs"]
    complete = {f"{RUNS_FOLDER}/{run['arm']}-s{run['seed']}/{RECORD_NAME}" for run in runs if run["status"] in COMPLETE}
    for name, (found, due) in changes.items():
        if name in {PLAN_NAME, *complete}:
            what = "is missing" if found is None else f"was changed: its SHA-256 is {found}"
            raise StoredResultsError(
                f"{folder / name} {what}, and {DOCUMENT_NAME} was made from {due}. Put the file back. To make the "
                f"reports from what is there instead, delete {DOCUMENT_NAME} first."
            )


def describe_excess(name: object, num_bytes: int) -> str | None:
    """What is wrong with a file that is too large for a comparison; None where it is not."""
    if num_bytes <= MAX_FILE_BYTES:
        return None
    return f"{name} has {num_bytes:,} bytes; a file of a comparison has {MAX_FILE_BYTES:,} at most."


@contextmanager
def blame_damage(folder: Path) -> Iterator[None]:
    """Calls an error inside damage, not a bug of ours, unless the stored files are known to be what we wrote."""
    as_written = find_changes(folder) == {}
    try:
        yield
    except ProgramError:
        raise
    except Exception as error:
        if as_written:
            raise
        raise StoredResultsError(
            f"{folder} holds a value that is missing or malformed ({type(error).__name__}: {error})."
        ) from error


def _refuse_special(folder: Path) -> None:
    """Pipes, devices and sockets would be waited for or never end; a link leads outside; a huge file fills memory."""
    for path in folder.rglob("*"):
        top, _, part, *inside = *path.relative_to(folder).parts, "", ""
        if top == RUNS_FOLDER and part in (WORK_FOLDER, CHECKOUT_FOLDER) and any(inside):
            continue  # a command's own, which may be links
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            raise StoredResultsError(
                f"{path} is a symbolic link, and a comparison is read and written in its own folder only. "
                "Put the file itself in its place."
            )
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            raise StoredResultsError(
                f"{path} is a pipe, a device or a socket; a comparison holds only files. Delete it."
            )
        excess = describe_excess(path, state.st_size)
        if excess and path.suffix != CHECKPOINT_SUFFIX:
            raise StoredResultsError(excess)
