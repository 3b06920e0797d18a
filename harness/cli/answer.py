"""What a verb answers: text for people, values for `--json`, and an exit code with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainrun.record.errors import EXIT_DONE


@dataclass(frozen=True)
class Answer:
    """What a verb found."""

    text: str
    values: dict[str, Any]
    """For `--json`."""
    exit_code: int = EXIT_DONE
    reason: str | None = None
    """Why the exit code is not 0."""
    find_rest: Callable[[], Answer] | None = None
    """Finds what takes long, once the text is shown: the rest of the text, and all else in place of this."""
