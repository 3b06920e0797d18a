"""What `list` says about the comparisons in a folder."""

from pathlib import Path
from typing import Any

from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.store.document import FILE_NAME, load_document
from mainrun.record.errors import StoredResultsError

_EMPTY: dict[str, Any] = {
    "preset": None,
    "pair": None,
    "baseline_full_loss_nats_per_char": None,
    "candidate_full_loss_nats_per_char": None,
    "full_gain_percent": None,
    "verdict": None,
    "problem": None,
}


def list_comparisons(results: Path) -> list[dict[str, Any]]:
    """One entry a pair of every comparison below `results`, oldest name first; a damaged one names its problem."""
    folders = sorted(path.parent for path in results.glob(f"*/{PLAN_NAME}") if not path.parent.is_symlink())
    return [entry for folder in folders for entry in _describe(folder)]


def _describe(folder: Path) -> list[dict[str, Any]]:
    if not (folder / FILE_NAME).exists():
        return [{"name": folder.name, **_EMPTY, "problem": "not finished"}]
    try:
        return _describe_document(folder.name, load_document(folder))
    except StoredResultsError as error:
        return [{"name": folder.name, **_EMPTY, "problem": str(error)}]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        problem = f"{folder / FILE_NAME} is damaged: {error} is missing or of the wrong type."
        return [{"name": folder.name, **_EMPTY, "problem": problem}]


def _describe_document(name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    finals = {arm["name"]: arm["final"] for arm in document["arms"]}
    entries = [
        {
            "name": name,
            **_EMPTY,
            "preset": document["preset"],
            "pair": f"{pair['candidate_label']} / {pair['baseline_label']}",
            "baseline_full_loss_nats_per_char": finals[pair["baseline"]]["full_loss_nats_per_char"],
            "candidate_full_loss_nats_per_char": finals[pair["candidate"]]["full_loss_nats_per_char"],
            "full_gain_percent": None if pair["full_gain_percent"] is None else float(pair["full_gain_percent"]),
            "verdict": pair["verdict"]["label"],
        }
        for pair in document["pairs"]
    ]
    return entries or [{"name": name, **_EMPTY, "preset": document["preset"], "problem": "runs are missing"}]
