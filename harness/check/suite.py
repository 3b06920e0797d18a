"""All checks of a comparison, in the order in which reports print them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.check.forensics import FORENSICS
from harness.check.fresh_start import FRESH_START
from harness.check.integrity import INTEGRITY
from harness.check.known_code import KNOWN_CODE
from harness.check.planned import PLANNED
from harness.check.plausibility import PLAUSIBILITY
from harness.check.registry import Evidence, Registry, run_checks
from harness.check.rules import CONSTRAINTS
from harness.check.token_reads import READS
from harness.store.findings import Findings

GROUPS: dict[str, tuple[Registry, ...]] = {
    "constraints": (CONSTRAINTS, KNOWN_CODE, FRESH_START, PLANNED),
    "integrity": (INTEGRITY, READS, PLAUSIBILITY, FORENSICS),
}
"""Field of `comparison.json` → the registries whose findings it holds."""


@dataclass(frozen=True)
class Occasion:
    """When and where checks were made."""

    made_at: float | None = None
    """Unix seconds; None where they follow from the stored files alone and could be made at any time."""
    made_by: str | None = None
    """The verb that made them."""
    commit: str | None = None
    """Of the checkout the checker stood in, `-dirty` where that differed."""
    device_name: str | None = None
    """The processor it ran on."""


def find_all(evidence: Evidence, occasion: Occasion) -> Findings:
    """Every finding by the field that holds it, as stored: each with when and where it was made."""
    return {
        name: [asdict(finding) | asdict(occasion) for registry in group for finding in run_checks(registry, evidence)]
        for name, group in GROUPS.items()
    }


def list_titles(registries: Sequence[Registry]) -> dict[str, str]:
    """Name → title of every check of the registries."""
    return {name: check.title for registry in registries for name, check in registry.items()}
