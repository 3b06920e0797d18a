"""An arms file (TOML): commands of other programs, run back to back with our own, and recipes of ours by a name.

The command is a list, never a shell's line. `{seed}` and `{out}` in command, env and journal become the run's seed and
a folder of its own for what the command writes.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.plan.arm_syntax import ArmRequest, parse_arm
from harness.plan.git import find_commit
from mainrun.record.errors import RequestError
from mainrun.record.inert import make_inert
from mainrun.settings import unknown_name

DEFAULT_STALL_S = 1800.0
_KEYS = ("command", "cwd", "env", "journal", "repository", "revision", "stall_s")


@dataclass(frozen=True)
class ExternalArm:
    """One command, as the arms file gives it."""

    name: str
    command: tuple[str, ...]
    journal: str
    """Where the command writes its log; relative to `cwd`."""
    cwd: Path
    """Where it is started; of a revision, relative to the clean checkout it is run in."""
    env: dict[str, str] = field(default_factory=dict)
    """On top of this process's own environment."""
    stall_s: float = DEFAULT_STALL_S
    """A journal that does not grow for so long has stopped."""
    revision: str | None = None
    """As typed; None runs the command in the folder as it is."""
    commit: str | None = None
    """What the revision is."""
    repository: Path | None = None
    """The folder whose files at that commit the command is run in."""

    def fill(self, seed: int, out: Path) -> "ExternalArm":
        """The same for one run: placeholders replaced; `out` is absolute."""

        def put(text: str) -> str:
            return text.replace("{seed}", str(seed)).replace("{out}", str(out))

        env = {key: put(value) for key, value in self.env.items()}
        return replace(self, command=tuple(map(put, self.command)), journal=put(self.journal), env=env)

    @property
    def takes_seed(self) -> bool:
        return any("{seed}" in text for text in (*self.command, *self.env.values()))

    @property
    def journal_path(self) -> Path:
        return self.cwd / self.journal

    def to_json(self, arms_file: str) -> dict[str, Any]:
        """What is stored of it: no folder of this machine."""
        return {
            "arms_file": arms_file,
            "command": [_strip_folder(word) for word in self.command],
            "env": {key: _strip_folder(value) for key, value in self.env.items()},
            "journal": _strip_folder(self.journal),
            **({"revision": self.revision, "commit": self.commit} if self.commit else {}),
        }


def load_arms(path: Path) -> dict[str, ExternalArm]:
    """The arms of a TOML file by name; a relative `cwd` is one beside the file, which is also the default.

    Raises `RequestError` for a file that is missing or no TOML, an unknown key and a value of the wrong type.
    """
    tables = _load_tables(path)
    return {name: _read_arm(path, name, table) for name, table in tables.items() if not _is_recipe(table)}


def load_recipes(path: Path) -> dict[str, ArmRequest]:
    """The arms of a TOML file that name a `recipe`, and a `revision` if need be; all else in them is settings.

    Raises `RequestError` as `load_arms` and `parse_arm`.
    """
    return {name: _read_recipe(path, name, table) for name, table in _load_tables(path).items() if _is_recipe(table)}


def _load_tables(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RequestError(f"--arms: {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"--arms: {path} is no TOML: {error}.") from None
    for key in values:
        if key != "arms":
            raise RequestError(f"--arms: {path}: {unknown_name('table', key, ['arms'])}")
    arms = values.get("arms")
    if not isinstance(arms, dict) or not arms:
        raise RequestError(f"--arms: {path} names no arm. Expected a table such as [arms.mine].")
    return arms


def _is_recipe(table: Any) -> bool:
    return isinstance(table, dict) and "recipe" in table and "command" not in table


def _read_recipe(path: Path, name: str, table: Mapping[str, Any]) -> ArmRequest:
    where = f"--arms: {path}, [arms.{name}]"
    _check_name(where, name)
    recipe, revision = table["recipe"], table.get("revision")
    if not isinstance(recipe, str) or not isinstance(revision, str | None):
        raise RequestError(f"{where}: recipe and revision must be texts.")
    given = {key: value for key, value in table.items() if key not in ("recipe", "revision")}
    arm = parse_arm(f"{name}={recipe}{f'@{revision}' if revision else ''}")
    return replace(arm, settings={**arm.settings, **_read_settings(where, given)})


def _read_settings(where: str, table: Mapping[str, Any], section: str = "") -> dict[str, str]:
    """Values by dotted key, as text; `optimizer.learning_rate = 1e-3` is a table in TOML."""
    settings: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            settings |= _read_settings(where, value, f"{section}{key}.")
        elif isinstance(value, str | int | float) and "," not in str(value):
            settings[section + key] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            raise RequestError(f"{where}: {section}{key} must be a number, a word, true or false, not {value!r}.")
    return settings


def _check_name(where: str, name: str) -> None:
    if not name or any(not (c.isascii() and (c.isalnum() or c in "._-")) for c in name) or name[0] in ".-":
        raise RequestError(f"{where}: a name has letters, digits, '.', '_' and '-' only.")


def _read_arm(path: Path, name: str, table: Any) -> ExternalArm:
    where = f"--arms: {path}, [arms.{name}]"
    if not isinstance(table, dict):
        raise RequestError(f"{where} is no table.")
    _check_name(where, name)
    for key in table:
        if key not in _KEYS:
            raise RequestError(f"{where}: {unknown_name('key', key, _KEYS)}")
    command, journal, env = table.get("command"), table.get("journal"), table.get("env", {})
    if isinstance(command, str):
        raise RequestError(f'{where}: command is text; give a list, as no shell reads it: ["python", "train.py"].')
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command):
        raise RequestError(f"{where}: command must be a list of words.")
    if not isinstance(journal, str) or not journal:
        raise RequestError(f"{where}: journal must say where the command's log appears.")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise RequestError(f"{where}: env must be a table of texts.")
    texts = [*command, journal, *env, *env.values(), str(table.get("cwd", ""))]
    if any("\0" in text for text in texts):
        raise RequestError(f"{where}: no text may hold a zero byte.")
    if any(not key or "=" in key for key in env):
        raise RequestError(f"{where}: no name in env may be empty or hold an '='.")
    cwd, stall_s = table.get("cwd", "."), table.get("stall_s", DEFAULT_STALL_S)
    if isinstance(stall_s, bool) or not isinstance(stall_s, int | float) or not stall_s > 0:
        raise RequestError(f"{where}: stall_s must be a number of seconds above 0.")
    if "revision" in table or "repository" in table:
        own, commit, repository = _find_checkout(path, where, table)
        return ExternalArm(
            name, tuple(command), journal, own, env, float(stall_s), table["revision"], commit, repository
        )
    if not isinstance(cwd, str) or not (path.parent / cwd).is_dir():
        raise RequestError(f"{where}: cwd {cwd!r} is no folder.")
    return ExternalArm(name, tuple(command), journal, (path.parent / cwd).resolve(), env, float(stall_s))


def _find_checkout(path: Path, where: str, table: dict[str, Any]) -> tuple[Path, str, Path]:
    """Where in a clean checkout a command is started, the commit that is checked out, and whose files these are."""
    revision, repository, cwd = table.get("revision"), table.get("repository", "."), table.get("cwd", ".")
    if not isinstance(revision, str) or not revision or revision.startswith("-"):
        raise RequestError(f"{where}: revision must name a branch, tag or commit of the repository.")
    if not isinstance(repository, str) or not (path.parent / repository).is_dir():
        raise RequestError(f"{where}: repository {repository!r} is no folder.")
    if not isinstance(cwd, str) or Path(cwd).is_absolute() or ".." in Path(cwd).parts:
        raise RequestError(f"{where}: cwd {cwd!r} must be a folder inside the checkout of the revision.")
    folder = (path.parent / repository).resolve()
    return Path(cwd), find_commit(folder, revision), folder


def _strip_folder(word: str) -> str:
    """A word of a command without the folders of an absolute path in it."""
    prefix, equals, value = word.rpartition("=")
    plain = Path(value).name if value.startswith(("/", "~")) else value
    return make_inert(f"{prefix}{equals}{plain}")
