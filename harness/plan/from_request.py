"""From what was asked to the plan that is stored: which folder, which arms, and whether one was begun there already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.plan.ablation import plan_ablation
from harness.plan.arm_syntax import ArmRequest, parse_whole
from harness.plan.arms import check_against, resolve_arms
from harness.plan.arms_file import load_arms, load_recipes
from harness.plan.changes import FILE_NAME as PATCH_NAME
from harness.plan.changes import CodeChange, compare_code
from harness.plan.code import Code, locate_code
from harness.plan.folders import name_folder, refuse_filled, refuse_unstorable
from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import Plan, check_storable, load_plan, save_plan
from harness.plan.planning import plan_comparison, plan_external
from harness.plan.request import CompareRequest
from harness.plan.seeds import continue_plan, list_differences
from mainrun.data.corpus import HUB
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import atomic_write, compute_file_sha256, make_folder, save_text
from mainrun.record.run_record import FILE_NAME as RECORD_NAME

_ADVICE = "Continue it with --resume or choose another --out."
_OPTIONS = {
    "preset": "--preset", "corpus": "--data", "arms": "ARM or --set", "seeds": "--seeds",
    "title_column": "--title-column", "ablation": "ARM of ablate", "margin_percent": "--margin",
    "against": "--against", "sources": "--arms", "code_changes": "code of an arm",
}  # fmt: skip
"""Field of a plan → what on the command line gives it."""
_FOLLOWING = ("runs",)
"""Fields that differ where arms or seeds do."""


def plan_request(request: CompareRequest) -> tuple[Plan, Path]:
    """The plan a request comes to, and the folder it would fill; nothing is written there.

    Raises `RequestError` where the folder holds something already and `--resume` was not given, or cannot be stored.
    """
    folder = request.out or name_folder(f"{'ablate-' if request.ablate else ''}{request.preset}")
    begun: dict[str, Code] = {}
    if request.resume or request.out is None:
        refuse_unstorable(folder)
    else:
        refuse_filled(folder, _ADVICE)
    if request.resume and (folder / PLAN_NAME).exists():
        stored = load_plan(folder)
        begun = {arm.name: arm.code for arm in stored.arms if arm.code is not None}
        if request.source.data == HUB == stored.corpus["source"] and request.data_revision is None:
            request = replace(request, data_revision=stored.corpus["revision"])
    commands = load_arms(request.arms_file) if request.arms_file else {}
    arms = resolve_arms(request, load_recipes(request.arms_file) if request.arms_file else {}, commands)
    if any(arm.is_command for arm in arms):
        return _conclude(plan_external(request, folder, begun, arms, commands), request), folder
    ablation = None
    if request.ablate:
        whole = parse_whole(request.ablate)
        ablation = plan_ablation(whole, request.preset)
        arms = [ArmRequest(name, "baseline", settings) for name, settings in ablation.arms.items()]
        arms[-1] = whole
    check_against(request.against, [arm.name for arm in arms])
    plan = plan_comparison(folder.resolve().name, arms, request, begun, ablation)
    return _conclude(plan, request), folder


def store_plan(folder: Path, plan: Plan, *, resume: bool) -> tuple[Plan, str]:
    """Writes the plan of a new comparison, or to `resume`, goes on by a stored one; returns it with its SHA-256.

    Raises `RequestError` where another one is stored, also since this one was planned.
    """
    if not resume:
        refuse_filled(folder, _ADVICE)
    if not (folder / PLAN_NAME).exists():
        make_folder(folder / "runs")
        return plan, save_plan(folder, plan)
    begun, plan = load_plan(folder), go_on(folder, plan)
    return plan, compute_file_sha256(folder / PLAN_NAME) if plan == begun else save_plan(folder, plan)


def go_on(folder: Path, plan: Plan) -> Plan:
    """The plan as it is, or where one is stored, that by which its comparison goes on.

    Raises `RequestError` where another one is stored.
    """
    if not (folder / PLAN_NAME).exists():
        return plan
    begun = load_plan(folder)
    if differing := list_differences(begun, plan):
        others = ", ".join(_describe_other(begun, name) for name in differing if name not in _FOLLOWING)
        raise RequestError(f"{folder} was planned with another {others}. Give the command line it was begun with.")
    return continue_plan(begun, plan)


@contextmanager
def leave_as_it_was(folder: Path) -> Iterator[None]:
    """Puts the plan back where the seeds that were added to it are refused before any run wrote a record."""
    before = _read_plan_and_records(folder)
    try:
        yield
    except (RequestError, StoredResultsError):
        after, path = _read_plan_and_records(folder), folder / PLAN_NAME
        if path in before and after != before == {**after, path: before[path]}:
            with atomic_write(path) as file:
                file.write(before[path])
        raise


def _describe_other(begun: Plan, name: str) -> str:
    """What gave a field of the plan, with its stored value where that is a word or numbers."""
    value, option = getattr(begun, name), _OPTIONS.get(name, name)
    if name == "seeds":
        value = ",".join(map(str, value))
    if isinstance(value, float):
        return f"{option} ({value:g})"
    return f"{option} ({value})" if isinstance(value, str) else option


def _read_plan_and_records(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (*folder.glob(PLAN_NAME), *folder.glob(f"runs/*/{RECORD_NAME}"))}


def save_changes(folder: Path, plan: Plan, repository: Path | None) -> None:
    """Writes `changes.patch` where arms have programs of their own; `RequestError` where one is not as planned."""
    if plan.code_changes is None or (folder / PATCH_NAME).exists():
        return
    compared = list(_compare(plan, repository))
    if tuple(change for change, _ in compared) != plan.code_changes:
        raise RequestError("The training program was changed after the comparison was planned. Begin it anew.")
    save_text(folder / PATCH_NAME, "".join(patch for _, patch in compared))


def _conclude(plan: Plan, request: CompareRequest) -> Plan:
    """The plan with the difference in code of each arm to the baseline, where arms have programs of their own.

    Raises `RequestError` where it cannot be stored.
    """
    check_storable(plan)
    changes = tuple(change for change, _ in _compare(plan, request.repository))
    return replace(plan, code_changes=changes) if changes else plan


def _compare(plan: Plan, repository: Path | None) -> Iterator[tuple[CodeChange, str]]:
    first, *others = plan.arms
    for arm in others:
        if first.code is not None and arm.code is not None:
            places = locate_code(first.code, repository), locate_code(arm.code, repository)
            yield compare_code(first.name, places[0], arm.name, places[1])
