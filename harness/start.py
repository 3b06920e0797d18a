"""Starts one of our modules by the place of its package: `python -P start.py PLACE MODULE [ARGUMENT …]`.

Run as a file, so that neither the working directory nor PYTHONPATH can put another program of the same name in its
place. PLACE is the folder our packages stand in; everything else is found as it always is.
"""

import os
import runpy
import sys
from importlib.machinery import ModuleSpec, PathFinder

PACKAGES = ("mainrun", "harness", "reports")
LISTENED = "MAINRUN_LISTENED"
"""In the environment where whoever started the program holds the other end of its standard input, so that it ends with
that process, however that ends."""


class PlaceFinder:
    """Finds our packages in one folder only."""

    def __init__(self, place: str) -> None:
        self._place = place

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self._place]) if path is None and name in PACKAGES else None


def find_packages_in(place: str) -> None:
    """From now on our packages are those in the folder `place`, whatever stands before it on the path."""
    sys.meta_path.insert(0, PlaceFinder(place))


def end_with_the_listener() -> None:
    """Waits for the end of standard input, and then ends this process as Ctrl-C would."""
    import signal  # not above: __main__ takes PlaceFinder from here before it has left the user's folder

    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if os.environ.pop(LISTENED, None):
        import threading

        threading.Thread(target=end_with_the_listener, daemon=True).start()
    _, place, module, *arguments = sys.argv
    find_packages_in(place)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
