"""Losses by title that were measured again against those that a run stored."""

from collections.abc import Sequence

from harness.store.runs import StoredRun


def find_other_title(run: StoredRun, again: Sequence[float], tolerance: float) -> str | None:
    """The first validation title whose stored loss in nats is not the one measured `again`, within `tolerance`.

    The tolerance is relative, and of losses below one nat absolute; 0 asks for the same bits.
    """
    stored = run.load_title_losses()["loss_nats"]
    if len(stored) != len(again):
        return f"it has {len(stored):,} losses by title, measured again {len(again):,}"
    for place, (found, due) in enumerate(zip(stored, again, strict=True)):
        if not abs(found - due) <= tolerance * max(1.0, abs(due)):
            return f"validation title {place} is stored with {found!r} nats, measured again {due!r}"
    return None
