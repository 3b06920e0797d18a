"""What a verb answers: text for people, values for `--json`, and an exit code with its reason."""

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
