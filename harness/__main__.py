"""`python -m harness VERB`, whatever stands in the folder it is called from."""

import sys

from harness.start import find_packages_in

PLACE = __file__.rpartition("/harness/")[0]

# `-m` looks for every module in the working directory first, where a `mainrun` or a `queue.py` of the user's may stand.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] != PLACE:
    del sys.path[0]
find_packages_in(PLACE)

from harness.cli.app import main as run_verb  # noqa: E402
from mainrun.record.console import run_program  # noqa: E402


def main() -> int:
    """Does one verb, whatever becomes of the streams it speaks to; returns the exit code."""
    return run_program(run_verb)


if __name__ == "__main__":
    sys.exit(main())
