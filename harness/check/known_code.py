"""Whether the training program that a run names is one that was released.

The table of released files is made by `.ci/record_code`, from git, and nothing is imported from what is judged.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from harness.check.registry import NO_CODE, NOT_VOUCHED, Evidence, Registry, Result, join_results, register
from harness.plan.code import hash_sources
from harness.processes import PLACE
from harness.store.runs import StoredRun

TABLE_NAME = "released_code.json"
KNOWN_CODE: Registry = {}
GUARDED = ("data/", "metric/", "rules.py", "sizes.py")
"""Files of today's program that make titles, tokens and metric: with others of these no number can be compared."""
GUARDED_AT_FIRST = frozenset(
    {"contract.py", "corpus.py", "corpus_files.py", "evaluate.py", "full_loss.py"}
    | {"headline_words.py", "headlines.py", "prepare.py", "sizes.py", "tokenizer.py"}
)
"""The same of the first release, whose files stood in one folder."""
NUM_NAMED = 5
Code = Mapping[str, str]
"""File of the training program → its SHA-256."""


@lru_cache(maxsize=1)
def load_releases() -> dict[str, Code]:
    """The released training programs by name, the oldest first."""
    content = resources.files("harness.check").joinpath(TABLE_NAME).read_text(encoding="utf-8")
    return dict(json.loads(content))


@lru_cache(maxsize=1)
def hash_working_tree() -> Code:
    """The training program that stands here."""
    return hash_sources(PLACE)


@register(KNOWN_CODE, "known-code", "The training program is one that was released")
def check_known_code(evidence: Evidence) -> Result:
    """Files of data, tokens and metric have to be released ones; other changed code cannot be vouched for."""
    runs_of: dict[Result, list[str]] = {}
    for run in evidence.comparison.runs.values():
        code = run.facts.source_sha256
        found: Result = ("NOT CHECKED", NO_CODE) if code is None else _judge(code)
        runs_of.setdefault(found, []).append(run.folder.name)
    results: list[Result] = [
        (status, text if status == "PASS" or text == NO_CODE else f"{', '.join(names)}: {text}")
        for (status, text), names in runs_of.items()
    ]
    return join_results(results)


def _judge(code: Code) -> Result:
    changed = find_changed_files(code)
    guarded = [name for name in changed if is_guarded(name)]
    if guarded:
        return "FAIL", f"files that make data, tokens or metric are none that were released: {_list(guarded)}"
    if changed:
        here = hash_working_tree()
        place = "as in the working tree" if all(here.get(name) == code.get(name) for name in changed) else "not here"
        return NOT_VOUCHED, f"changed code, {place}: {_list(changed)}"
    return "PASS", f"{len(code)} source files have the SHA-256 of a released version"


def find_changed_files(code: Code) -> list[str]:
    """The files in which a program differs from the released one that is nearest to it; none where it is one."""
    return min((_compare(code, released) for released in load_releases().values()), key=len)


def is_known_elsewhere(run: StoredRun) -> bool:
    """Whether a run was made by a released program that is not the one that stands here."""
    code = run.facts.source_sha256 or {}
    return not find_changed_files(code) and bool(_compare(code, hash_working_tree()))


def _compare(code: Code, other: Code) -> list[str]:
    return sorted(name for name in code.keys() | other.keys() if code.get(name) != other.get(name))


def is_guarded(name: str) -> bool:
    """Whether a file of the training program makes titles, tokens or metric."""
    return name.startswith(GUARDED) or name in GUARDED_AT_FIRST


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return ", ".join(names[:NUM_NAMED]) + more
