"""Keeps one run on a node of a cluster: starts it as it would be started here, sends back what it writes as it grows,
and ends it when nobody listens any more.

`python -P start.py PLACE harness.launch.keeper`, the order on one line of stdin; frames go to stdout.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from harness.launch.job import Job, Outcome
from harness.launch.local import LocalLauncher
from harness.launch.relay import write_frame
from harness.launch.travel import build_job_there
from harness.processes import POLL_S, end_as_by_ctrl_c
from harness.start import end_with_the_listener
from mainrun.record.run_record import FILE_NAME as RECORD_NAME

CHECKPOINTS = "checkpoint/*.pt"
KNOWN_BYTES = 4096
"""So many bytes before the end of what was sent of a journal tell whether they still stand there."""


def keep(order: dict[str, Any], pipe: IO[bytes]) -> None:
    """Runs the job of an order to its end, sending frames through `pipe`."""
    job, launcher = build_job_there(order), LocalLauncher()
    if order["is_ours"]:
        job = replace(job, env={**job.env, "XDG_CACHE_HOME": str(Path(order["root"]) / "cache")})
    job.journal.parent.mkdir(parents=True, exist_ok=True)
    sender = Sender(job, pipe)
    sent_at = time.monotonic()
    try:
        with _prepare_once(Path(order["root"]), job) as let_others_go_on:
            launcher.start(job)
            while not (ended := launcher.poll(POLL_S)):
                sender.send_growth()
                let_others_go_on()
                if time.monotonic() - sent_at >= order["checkpoint_s"]:
                    sender.send_checkpoint()
                    sent_at = time.monotonic()
    except BaseException:
        launcher.stop()
        raise
    sender.send_end(ended[job.name])


class Sender:
    """Sends the files of a run, each no more often than it changes."""

    def __init__(self, job: Job, pipe: IO[bytes]) -> None:
        self._folder, self._journal, self._pipe = job.folder, job.journal, pipe
        self._is_known = job.journal.is_file()
        self._num_sent = job.journal.stat().st_size if self._is_known else 0
        self._tail = job.journal.read_bytes()[-KNOWN_BYTES:] if self._num_sent else b""
        self._sent: dict[str, tuple[int, int]] = {
            name: _stamp(path) for name, path in self._list_files() if path != job.journal
        }

    def send_growth(self) -> None:
        """Sends what the journal has grown by, and the record where it changed."""
        self._send_journal()
        self._send_whole(RECORD_NAME, self._folder / RECORD_NAME)

    def send_checkpoint(self) -> None:
        """Sends the newest whole checkpoint, and first the journal it counts on."""
        paths = sorted(self._folder.glob(CHECKPOINTS), key=lambda path: path.stat().st_mtime_ns)
        for path in paths[-1:]:
            self._send_journal()
            self._send_whole(path.relative_to(self._folder).as_posix(), path)

    def send_end(self, outcome: Outcome) -> None:
        """Sends whatever was not sent, the record last, and then how the run ended and which files there are."""
        self._send_journal()
        files = sorted(self._list_files(), key=lambda item: item[0] == RECORD_NAME)
        for name, path in files:
            if path != self._journal:
                self._send_whole(name, path)
        hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files}
        write_frame(self._pipe, {"kind": "end", "outcome": asdict(outcome), "files": hashes})

    def _list_files(self) -> list[tuple[str, Path]]:
        paths = (path for path in self._folder.rglob("*") if path.is_file() and path.suffix != ".partial")
        return [(path.relative_to(self._folder).as_posix(), path) for path in paths]

    def _send_whole(self, name: str, path: Path) -> None:
        try:
            stamp, content = _stamp(path), path.read_bytes()
        except FileNotFoundError:
            return  # not there yet, or replaced by another a moment ago
        if self._sent.get(name) != stamp:
            self._sent[name] = stamp
            write_frame(self._pipe, {"kind": "whole", "name": name}, content)

    def _send_journal(self) -> None:
        """Sends the journal from where it was sent, or all of it where it was cut back since."""
        if not self._journal.is_file():
            return
        with self._journal.open("rb") as journal:
            journal.seek(self._num_sent - len(self._tail))
            if journal.read(len(self._tail)) != self._tail or self._num_sent > os.fstat(journal.fileno()).st_size:
                self._num_sent, self._tail, self._is_known = 0, b"", False
                journal.seek(0)
            content = journal.read()
        if content or not self._is_known:
            self._is_known = True
            name = self._journal.relative_to(self._folder).as_posix()
            write_frame(self._pipe, {"kind": "append", "name": name, "offset": self._num_sent}, content)
            self._num_sent += len(content)
            self._tail = (self._tail + content)[-KNOWN_BYTES:]


@contextmanager
def _prepare_once(root: Path, job: Job) -> Iterator[Any]:
    """Lets the first run on a node that needs some titles prepare them alone; the others find them in the cache.

    Gives what is to be called now and then, which lets the others go on once the run has begun its journal.
    """
    words = [word for word in job.argv if word.startswith(("--data", "--preset", "--title-column", "--set"))]
    mark = root / f"prepared-{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}"
    with mark.with_suffix(".lock").open("w") as lock:
        if not mark.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)

        def release() -> None:
            if job.journal.exists() and not mark.exists():
                mark.touch()
            if mark.exists():
                fcntl.flock(lock, fcntl.LOCK_UN)

        yield release


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size


if __name__ == "__main__":
    end_as_by_ctrl_c()
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_the_listener, daemon=True).start()
    try:
        keep(order, sys.stdout.buffer)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(1)
    finally:
        shutil.rmtree(build_job_there(order).folder, ignore_errors=True)  # nobody else may be left to do it
