"""The newest whole state of a run. Its name holds its SHA-256, so that damage is found before it is loaded."""

import io
import time
from pathlib import Path
from typing import Any

import torch

from mainrun.record.errors import StoredResultsError
from mainrun.record.files import atomic_write, compute_sha256, make_folder
from mainrun.record.tensors import load_tensors

MAX_SHARE_OF_TIME = 0.01
"""Checkpoints are spaced so that writing them takes at most this share of a run."""


class CheckpointFolder:
    """The checkpoint of one run, and when the next one is due."""

    def __init__(self, folder: Path, min_interval_s: float, *, keep: bool = False) -> None:
        """`keep` leaves every checkpoint where it is, after the run too."""
        self._folder, self._keep = folder, keep
        self._min_interval_s = self._interval_s = min_interval_s
        self._saved_at = time.perf_counter()

    def is_due(self) -> bool:
        return time.perf_counter() - self._saved_at >= self._interval_s

    def save(self, state: dict[str, Any]) -> str:
        """Writes `state` (tensors and plain values) and only then removes the one before; returns its SHA-256."""
        started = time.perf_counter()
        make_folder(self._folder)
        content = io.BytesIO()
        torch.save(state, content)
        view = content.getbuffer()
        path = self._folder / f"{compute_sha256(view)}.pt"
        with atomic_write(path) as file:
            file.write(view)
        for older in self._folder.glob("*.pt"):
            if older != path and not self._keep:
                older.unlink()
        self._saved_at = time.perf_counter()
        self._interval_s = max(self._min_interval_s, (self._saved_at - started) / MAX_SHARE_OF_TIME)
        return path.stem

    def load(self) -> dict[str, Any] | None:
        """The newest state with its `sha256`, or None where there is none; `StoredResultsError` for a damaged one."""
        paths = sorted(self._folder.glob("*.pt"), key=lambda path: path.stat().st_mtime_ns)
        if not paths:
            return None
        path = paths[-1]
        content = path.read_bytes()
        if compute_sha256(content) != path.stem:
            raise StoredResultsError(
                f"The checkpoint {path} is damaged: its SHA-256 is not its name. Delete it to begin the run again."
            )
        try:
            state = load_tensors(io.BytesIO(content))
        except ValueError as error:
            raise StoredResultsError(f"The checkpoint {path} is none: {error}. Delete it.") from None
        return {**state, "sha256": path.stem}

    def remove(self) -> None:
        """Deletes the checkpoint, once the run is complete, unless all are kept."""
        if self._keep:
            return
        for path in self._folder.glob("*"):
            path.unlink()
        if self._folder.exists():
            self._folder.rmdir()
