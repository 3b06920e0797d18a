"""Errors a user can act on, each with the exit code that both programs end with.

The message says what happened, where, what was expected and what to do next. Anything else that is raised is a
bug of ours: it keeps its traceback and ends with `EXIT_BUG`.
"""

EXIT_DONE = 0
EXIT_NO = 1
EXIT_INCONCLUSIVE = 5
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class ProgramError(Exception):
    """Base of the errors below; never raised itself."""

    exit_code: int


class RequestError(ProgramError):
    """The request is wrong: unknown name or option, input missing, unreadable or too small, comparison exists."""

    exit_code = 2


class RunError(ProgramError):
    """A training run failed: it crashed, was killed, or its loss is not finite."""

    exit_code = 3


class StoredResultsError(ProgramError):
    """Stored results cannot be used: absent, corrupt, of another schema version, or not comparable."""

    exit_code = 4


class MachineError(ProgramError):
    """The machine lacks something: hub unreachable, output not writable, disk full, PDF library or font missing."""

    exit_code = 6


class InterruptionError(ProgramError):
    """The user ended the program; what was done is kept and can be gone on with."""

    exit_code = EXIT_INTERRUPTED


def summarize_error(error: Exception) -> str:
    """What an error of a library says, in one line, without the full stop; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
