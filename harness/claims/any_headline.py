"""The sentences around the findings where logs of other programs stand: origins, headline, verdict, last line."""

from collections.abc import Iterator
from typing import Any

from harness.claims.engine import GAIN, Claim, PairView, prove
from harness.claims.headline import VERDICT_RULES, name_candidate, point_at_intervals
from harness.sources.registry import IMPORTERS
from harness.store.runs import OWN_KIND

SIDES = ("baseline", "candidate")
SOURCES = {kind: importer.words for kind, importer in IMPORTERS.items()} | {OWN_KIND: "the stored run"}


def claim_origins(document: dict[str, Any]) -> Iterator[Claim]:
    """Where the measurements of each arm are from."""
    for place, arm in enumerate(document["arms"]):
        names = {"label": f"/arms/{place}/label"}
        if arm["source"] is None:
            yield from prove(document, "origin", {"foreign == 0": "{label}: trained here."},
                             inputs={**names, "foreign": f"/arms/{place}/is_foreign"})  # fmt: skip
        elif arm["source"].get("external"):
            yield from prove(document, "origin", "{label}: a command of another program, run here.", inputs=names)
        else:
            names |= {"kind": f"/arms/{place}/source/kind", "source": f"/arms/{place}/source/name"}
            sentences = {f'kind == "{kind}"': f"{{label}}: {words} {{source}}." for kind, words in SOURCES.items()}
            yield from prove(document, "origin", sentences, inputs=names)


def claim_period(document: dict[str, Any]) -> Iterator[Claim]:
    """When the measurements were made, where that is known."""
    if document["started_at"] is None:
        yield from prove(document, "period", "The sources carry no times.")
    else:
        times = {"start": "/started_at", "end": "/finished_at"}
        sentences = {"end >= start": "The sources carry times from {start:time} to {end:time}."}
        yield from prove(document, "period", sentences, inputs=times)


def claim_foreign_headline(view: PairView) -> Iterator[Claim]:
    """The losses as they were reported, those that are compared, and the coverage of both."""
    if view.pair["reported_gain_percent"] is not None:
        yield from view.prove(
            "reported-loss",
            "Validation loss as reported ({candidate}): {c:loss} nats per character (vs {baseline}: {b:loss}), "
            "{value:gain}",
            GAIN,
            **point_at_finals(view, "loss_nats_per_char"),
        )
    bounds, among = {}, ""
    if view.pair["basis_gain_bounds_percent"]:
        bounds = {bound: view.here(f"basis_gain_bounds_percent/{bound}") for bound in ("low", "high")}
        among = "; by the range of the estimate the gain is between {low:percent} and {high:percent}"
    yield from view.prove(
        "compared-loss",
        f"Compared on: {{basis}}: {{b:loss}} → {{c:loss}}, {{value:gain}}{among}",
        GAIN,
        basis=view.here("basis/name"),
        **bounds,
        **point_at_finals(view, view.pair["basis"]["field"]),
    )
    shares: list[str] = []
    ranges: dict[str, str] = {}
    for side in SIDES:
        shares.append(f"{{{side}}} {{{side[0]}:percent}}")
        final = view.get_arm(side)["final"]
        if final["coverage_low_percent"] != final["coverage_high_percent"]:
            shares[-1] += f" (estimated: {{{side[0]}_low:percent}} to {{{side[0]}_high:percent}})"
            ranges |= {
                f"{side[0]}_{bound}": view.arm(side, f"final/coverage_{bound}_percent") for bound in ("low", "high")
            }
    yield from view.prove(
        "coverage",
        f"Coverage, the share of validation tokens that the frozen loss scores: {', '.join(shares)}",
        **point_at_finals(view, "coverage_percent"),
        **ranges,
    )


def claim_foreign_verdict(view: PairView) -> Iterator[Claim]:
    """The verdict's word by its rule, which in doubt is INCONCLUSIVE, and what it was decided on."""
    verdict = view.pair["verdict"]
    inputs = {name: view.here(f"verdict/{name}") for name in ("word", "label")}
    doubts = {f"doubt{place}": view.here(f"doubts/{place}") for place in range(len(view.pair["doubts"]))}
    said = [f"{{{name}}}" for name in doubts]
    rules: dict[str, str] = VERDICT_RULES
    margin, reason = view.here("verdict/margin_percent"), {"reason": view.here("verdict/reason")}
    if verdict["interval_95"] is None:
        said, rules = said or ["{reason}"], {"INCONCLUSIVE": ""}
    else:
        said.append("{interval:interval}")
        reason = {"interval": view.here("verdict/interval_95")}
        inputs |= point_at_intervals(view)
    in_doubt = {'word == "INCONCLUSIVE" and len(doubts) > 0': "Verdict: {label}"}
    decided = {
        f'word == "{word}" and len(doubts) == 0{f" and {rule}" if rule else ""}': "Verdict: {label}"
        for word, rule in rules.items()
    }
    yield from view.prove("verdict", in_doubt | decided, margin=margin, doubts=view.here("doubts"), **inputs)
    yield from view.prove(
        "decision",
        f"Decided on the {{basis}}, with a margin of {{margin:percent}}: {'; '.join(said)}",
        margin=margin,
        basis=view.here("basis/name"),
        **doubts,
        **(reason if "{reason}" in said or "{interval:interval}" in said else {}),
    )


def claim_foreign_result(view: PairView) -> Iterator[Claim]:
    """The last line of the summary."""
    mismatch = "; {mismatch}" if view.pair["mismatch"] else ""
    yield from view.prove(
        "final-result",
        f"Final result{name_candidate(view)}: {{basis}} {{value:gain}} ({{b:loss}} → {{c:loss}}); {{label}}{mismatch}",
        GAIN,
        basis=view.here("basis/name"),
        label=view.here("verdict/label"),
        **({"mismatch": view.here("mismatch")} if mismatch else {}),
        **point_at_finals(view, view.pair["basis"]["field"]),
    )


def point_at_finals(view: PairView, field: str) -> dict[str, str]:
    """Pointers to a last measurement of both arms, as `b` and `c`."""
    return {side[0]: view.arm(side, f"final/{field}") for side in SIDES}
