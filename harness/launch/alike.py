"""What the runs of a comparison that are trained by us have in common: a run that differs is refused while it runs."""

from pathlib import Path
from typing import Any

from harness.plan.code import Code
from mainrun.record.errors import RequestError
from mainrun.record.identity import select_code_and_machine
from mainrun.record.run_record import load_run_record

_MACHINE, _CODE = "machine.", "source."
_ALWAYS_ALIKE = ("machine.device", "machine.precision")


class Alike:
    """Holds every run's record against that of the first: same code, torch, device and precision, same machine.

    Where `mixed_machines` are asked for, kinds of processors and numbers of threads may differ.
    """

    def __init__(self, *, mixed_machines: bool) -> None:
        self._mixed_machines = mixed_machines
        self._firsts: dict[Code | str | None, tuple[str, dict[str, Any]]] = {}
        """Of each planned code, and of `all` runs: the first one's name, and what others are held to."""

    def check(self, folder: Path, code: Code | None) -> None:
        """Raises `RequestError` where the run in `folder`, which may be going on, is not like the first one checked.

        Its code has to be that of the first run of the same planned `code`.
        """
        record = load_run_record(folder)
        whole = select_code_and_machine(record)
        whole |= {f"{_MACHINE}{key}": record["machine"][key] for key in ("device_name", "cpu_capability")}
        if self._mixed_machines:
            whole = {key: value for key, value in whole.items() if not key.startswith(_MACHINE) or key in _ALWAYS_ALIKE}
        sources = {key: value for key, value in whole.items() if key.startswith(_CODE)}
        others = {key: value for key, value in whole.items() if key not in sources}
        for group, kind in ((code, sources), ("all", others)):
            first_name, first = self._firsts.setdefault(group, (folder.name, kind))
            self._refuse_changes(folder.name, kind, first_name, first)

    def _refuse_changes(self, name: str, kind: dict[str, Any], first_name: str, first: dict[str, Any]) -> None:
        if changed := sorted(key for key in kind | first if kind.get(key) != first.get(key)):
            said = [
                f"{key} ({first.get(key)} there, {kind.get(key)} here)" if key.startswith(_MACHINE) else key
                for key in changed
            ]
            raise RequestError(
                f"{name} is trained otherwise than {first_name}, and a part of their difference in loss would be "
                f"rounding; changed: {', '.join(said)}. {self._advise(changed)}"
            )

    def _advise(self, changed: list[str]) -> str:
        if all(key.startswith(_MACHINE) and key not in _ALWAYS_ALIKE for key in changed):
            return "Give all runs one kind of machine and the same --threads, or ask for this with --mixed-machines."
        return "Give all runs one version of the code and its libraries."
