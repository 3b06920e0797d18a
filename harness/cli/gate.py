"""`gate`: answers for CI whether a comparison meets what is asked of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.answer import Answer
from harness.cli.options import Verbs, build_json_option
from mainrun.record.errors import EXIT_DONE
from mainrun.record.inert import make_inert

if TYPE_CHECKING:
    from harness.verify.gate import Judgement


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser("gate", help="for CI: does a comparison meet what is asked?",
                              parents=[build_json_option()])  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--min-improvement", type=float, metavar="PCT", help="smallest gain in full loss, in percent")
    parser.add_argument("--max-loss", type=float, metavar="X", help="largest frozen loss of the arm")
    parser.add_argument("--arm", metavar="NAME", help="the arm that is judged (default: the one that is named last)")
    parser.add_argument("--require-conclusive", action="store_true", help="end with 5 where nothing can be concluded")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> Answer:
    """Judges every condition on numbers that are made again from the journals."""
    from harness.report.front import find_broken_rules
    from harness.store.document import load_document
    from harness.store.locks import blame_damage, hold
    from harness.verify.gate import compute_exit_code, judge

    with hold(given.folder, shared=True), blame_damage(given.folder):
        asked = given.min_improvement, given.max_loss, given.require_conclusive
        judgement = judge(given.folder, *asked, given.arm)
        findings = find_broken_rules(load_document(given.folder))  # what the numbers were judged in spite of
    broken = [f"{finding['title']}: {finding['evidence']}" for finding in findings]
    exit_code = compute_exit_code(judgement.conditions, given.require_conclusive)
    unmet = ", ".join(condition.name for condition in judgement.conditions if condition.status != "met")
    reason = f"not met: {unmet}" if exit_code != EXIT_DONE else None
    return Answer(format_judgement(judgement, broken), _list_values(judgement, broken), exit_code, reason)


def _list_values(judgement: Judgement, broken_rules: Sequence[str]) -> dict[str, Any]:
    conditions = [asdict(condition) for condition in judgement.conditions]
    pair = {"candidate": judgement.candidate, "baseline": judgement.baseline}
    return {**pair, "conditions": conditions, "broken_rules": broken_rules}


def format_judgement(judgement: Judgement, broken_rules: Iterable[str]) -> str:
    """Who was judged, one line a condition, and one a broken rule."""
    answers = [(condition.status, f"{condition.name}: {condition.text}") for condition in judgement.conditions]
    lines = [("judged", judgement.title), *answers, *(("FAIL", rule) for rule in broken_rules)]
    return "\n".join(make_inert(f"{word:<9}  {text}") for word, text in lines)
