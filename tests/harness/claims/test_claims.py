import copy
import re
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.arms import describe_stability
from harness.claims.engine import evaluate_formula, find_flaw
from harness.report.render import render_markdown
from harness.store.document import load_document
from tests.harness.claims.said import build_claims
from tests.harness.fakes import Curve, FakeLauncher, make_comparison

WORSE = Curve(floor=4.2, rate=2.0)
SUMMARY = "PERFORMANCE_SUMMARY.md.j2"


@pytest.fixture(scope="module")
def worse(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The candidate learns less than the baseline and never reaches its last loss."""
    folder = make_comparison(tmp_path_factory.mktemp("worse"), launcher=FakeLauncher(curves={"optimized": WORSE}))
    return load_document(folder)


@pytest.fixture(scope="module")
def equal(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The baseline against itself."""
    return load_document(make_comparison(tmp_path_factory.mktemp("equal"), recipes=("baseline", "baseline")))


@pytest.fixture(scope="module")
def larger_batch(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Nearly the same curve at twice the batch: most of what is gained in the frozen loss is coverage."""
    launcher = FakeLauncher(curves={"optimized": Curve(floor=3.3, rate=5.0)})
    folder = make_comparison(
        tmp_path_factory.mktemp("batch"), launcher=launcher, settings={"optimized": {"batch_size": "32"}}
    )
    return load_document(folder)


@pytest.fixture(scope="module")
def of_three_seeds(three_seeds: Path) -> dict[str, Any]:
    return load_document(three_seeds)


def get_texts(document: dict[str, Any]) -> dict[str, str]:
    return {claim["id"]: claim["text"] for claim in document["pairs"][0]["claims"]}


def test_a_loss_is_said_of_the_seed_of_its_own_run(tiny_document: dict[str, Any]) -> None:
    document = copy.deepcopy(tiny_document)
    document["arms"][1]["seed"] = 1338
    texts = {claim["id"]: claim["text"] for claim in build_claims(document, 0)}
    assert "seed 1338 (vs" in texts["final-loss"]
    assert texts["full-gain"].startswith("Full loss, at the last evaluation:")
    assert texts["reported-gain"].startswith("Frozen loss as reported, at the last evaluation:")


def test_of_several_seeds_it_is_said_which_one_the_findings_are_of(
    of_three_seeds: dict[str, Any], tiny_document: dict[str, Any]
) -> None:
    said = "What the tables and findings of a pair say of one run, and the curves of the gain, are of seed 1337."
    assert said in [claim["text"] for claim in of_three_seeds["claims"]]
    assert said not in [claim["text"] for claim in tiny_document["claims"]]


@pytest.mark.parametrize("name", ["tiny_document", "worse", "equal", "larger_batch"])
def test_every_claims_value_is_what_its_formula_gives_again(name: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(name)
    claims = document["pairs"][0]["claims"]
    assert len(claims) > 10
    assert len({claim["id"] for claim in claims}) == len(claims)
    for claim in claims:
        if claim["formula"] is not None:
            again = evaluate_formula(claim["formula"], claim["inputs"], document)
            assert claim["value"] == pytest.approx(again, rel=1e-11, abs=1e-11), claim["id"]


@pytest.mark.parametrize("name", ["tiny_document", "worse", "equal", "larger_batch", "of_three_seeds"])
def test_every_sentence_is_its_pattern_filled_from_its_inputs_and_true_by_its_condition(
    name: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(name)
    claims = [*document["claims"], *document["caveats"], *document["pairs"][0]["claims"]]
    assert {find_flaw(claim, document) for claim in claims} == {None}


@pytest.mark.parametrize(
    ("claim_id", "pointer", "value", "flaw"),
    [
        ("reaches-baseline", "step", 2, "at step 2"),
        ("reaches-baseline", "tokens", 5, "expected '.* 5 tokens"),
        ("reaches-baseline", "elapsed", 7.0, "expected '.* 7.0 s of training time"),
        ("verdict", "low", -1.0, "it is not so that"),
        ("verdict", "noise", 9.0, "it is not so that .* needed \\* noise"),
        ("target-margin", "c", 99.0, "it is not so that"),
        ("titles-lower", "lower", 1, r"100 \* lower / n is 2.5"),
        ("final-result", "full", 1.0, "expected '.* full loss 1.0 % lower"),
        ("steady-candidate", "count", 1, "it is not so that .* count == 0"),
        ("decision", "margin", 2.5, "expected 'Decided .* margin of 2.5 %"),
    ],
)
def test_a_sentence_whose_measurement_is_another_is_found(
    claim_id: str, pointer: str, value: float, flaw: str, tiny_document: dict[str, Any]
) -> None:
    changed = copy.deepcopy(tiny_document)
    claim = next(claim for claim in changed["pairs"][0]["claims"] if claim["id"] == claim_id)
    *path, last = claim["inputs"][pointer].split("/")[1:]
    place: Any = changed
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    assert re.search(flaw, find_flaw(claim, changed) or "")


def test_a_number_written_into_a_sentence_is_found(tiny_document: dict[str, Any]) -> None:
    claim = copy.deepcopy(tiny_document["pairs"][0]["claims"][0])
    claim["sentence"] = claim["text"]
    assert "a number stands in" in (find_flaw(claim, tiny_document) or "")


def test_losses_that_are_not_finite_are_counted_and_said(tiny_comparison: Path, tiny_document: dict[str, Any]) -> None:
    from harness.store.measurements import load_metrics

    rows = [row for row in load_metrics(tiny_comparison) if row["arm"] == "optimized"]
    training = [row for row in rows if row["split"] == "train"]
    validation = [row for row in rows if row["split"] == "validation"]
    assert describe_stability(training, validation)["num_non_finite"] == 0
    training[3] |= {"loss_nats_per_token": float("nan"), "grad_norm": float("inf")}
    changed = copy.deepcopy(tiny_document)
    changed["arms"][1]["stability"]["num_non_finite"] = describe_stability(training, validation)["num_non_finite"]
    texts = {claim["id"]: claim["text"] for claim in build_claims(changed, 0)}
    assert re.search(
        r": 2 training losses and gradient norms of \d+ steps are not finite", texts["non-finite-candidate"]
    )


def test_every_number_in_a_gain_sentence_is_the_rounding_of_a_stored_one(tiny_document: dict[str, Any]) -> None:
    texts = get_texts(tiny_document)
    before, after = (arm["final"] for arm in tiny_document["arms"])
    assert texts["full-gain"] == (
        f"Full loss at the last step, seed 1337: {before['full_loss_nats_per_char']:.4f} → "
        f"{after['full_loss_nats_per_char']:.4f} nats per character, "
        f"{tiny_document['pairs'][0]['full_gain_percent']:.1f} % lower."
    )
    assert f"{after['loss_nats_per_char']:.4f}" in texts["reported-gain"]


def test_a_change_of_the_measurements_changes_the_sentence(tiny_document: dict[str, Any]) -> None:
    changed = copy.deepcopy(tiny_document)
    changed["arms"][1]["final"]["full_loss_nats_per_char"] = 2 * changed["arms"][0]["final"]["full_loss_nats_per_char"]
    texts = {claim["id"]: claim["text"] for claim in build_claims(changed, 0)}
    assert texts["full-gain"].endswith("100.0 % higher.")


def test_a_better_candidate_reaches_the_baselines_last_loss_where_the_journal_says_so(
    tiny_comparison: Path, tiny_document: dict[str, Any]
) -> None:
    text = get_texts(tiny_document)["reaches-baseline"]
    final = tiny_document["arms"][0]["final"]["loss_nats_per_char"]
    assert f"final loss of baseline (changed), {final:.4f}" in text
    step = int(re.findall(r"at step ([\d,]+):", text)[0].replace(",", ""))
    rows = tiny_document["pairs"][0]["steps"]
    below = [row["candidate_step"] for row in rows if row["candidate_loss_nats_per_char"] <= final]
    assert step == below[0]


def test_a_worse_candidate_is_said_to_be_higher_to_miss_and_never_to_reach(worse: dict[str, Any]) -> None:
    texts = get_texts(worse)
    assert "% higher." in texts["full-gain"]
    assert "% higher." in texts["reported-gain"]
    assert "is missed by" in texts["target-margin"]
    assert "is at no evaluation at or below" in texts["never-reaches-baseline"]
    assert "reaches-baseline" not in texts
    assert not any("lower." in text or "beaten" in text for text in texts.values())


def test_the_lowest_loss_of_a_candidate_that_never_reaches_is_its_lowest(worse: dict[str, Any]) -> None:
    lowest = worse["arms"][1]["min_frozen"]["loss_nats_per_char"]
    assert f"its lowest is {lowest:.4f}" in get_texts(worse)["never-reaches-baseline"]


def test_the_lowest_loss_is_the_lowest_of_all_evaluations_also_of_those_outside_the_step_table() -> None:
    """The candidate is evaluated more often than the baseline, and its lowest loss lies between two table rows."""
    from harness.analyse.pairs import describe_pair
    from tests.harness.analyse.test_pairs import build_arm

    arms = [build_arm("a", [4.0, 1.0]), build_arm("b", [4.0, 3.0, 1.5, 3.0, 2.0])]
    pair = describe_pair(arms[0][0], arms[1][0], {arm["name"]: rows for arm, rows in arms}, official=False)
    for arm, rows in arms:
        lowest = min(rows, key=lambda row: float(row["loss_nats_per_char"]))
        arm |= {
            "stability": {
                "largest_rise_nats_per_char": 0.0,
                "num_gradient_spikes": 0,
                "num_steps": 9,
                "num_non_finite": 0,
                "gradient_spike_factor": 10,
            },
            "min_frozen": {"step": lowest["step"], "loss_nats_per_char": lowest["loss_nats_per_char"]},
        }
    document = {"arms": [arm for arm, _ in arms], "pairs": [pair], "seeds": [1337]}
    texts = {claim["id"]: claim["text"] for claim in build_claims(document, 0)}
    assert "its lowest is 1.5000" in texts["never-reaches-baseline"]


def test_equal_arms_gain_nothing_and_meet_the_target_exactly(equal: dict[str, Any]) -> None:
    texts = get_texts(equal)
    assert texts["full-gain"].endswith("unchanged.")
    assert "is met exactly" in texts["target-margin"]
    assert "is lower at 0 of the " in texts["evaluations-lower"]


def test_coverage_is_said_to_be_coverage(larger_batch: dict[str, Any], tiny_document: dict[str, Any]) -> None:
    texts = get_texts(larger_batch)
    assert "less of the validation tokens for optimized" in texts["coverage-difference"]
    assert "of the reported gain is coverage, not a better model" in texts["coverage-share"]
    assert not {"coverage-difference", "matched-gain", "coverage-share"} & set(get_texts(tiny_document))


def test_a_time_to_a_matched_loss_is_labelled_so(larger_batch: dict[str, Any]) -> None:
    texts = get_texts(larger_batch)
    assert "coverage-matched" in texts["reaches-baseline"]


def test_the_tasks_target_is_named_on_its_own_data_only(tiny_document: dict[str, Any]) -> None:
    assert "1.754" not in get_texts(tiny_document)["target-margin"]
    assert "The final frozen loss of baseline (changed), " in get_texts(tiny_document)["target-margin"]
    official = copy.deepcopy(tiny_document)
    official["pairs"][0]["target"] = {"loss_nats_per_char": 1.754, "is_official": True, "coverage_percent": 94.7}
    for coverage, tail in (
        (95.1, ""),
        (54.1, ", which is not on equal terms: coverage 54.1 % against its 94.7 %"),
    ):
        official["arms"][1]["final"] |= {"loss_nats_per_char": 1.328, "coverage_percent": coverage}
        texts = {claim["id"]: claim["text"] for claim in build_claims(official, 0)}
        assert texts["target-margin"] == f"The task's target of 1.7540 is beaten by 24.3 %{tail}."


def test_a_margin_is_said_with_all_its_digits(tiny_document: dict[str, Any]) -> None:
    for margin, said in ((0.5, "0.5 %"), (0.25, "0.25 %"), (2, "2 %")):
        document = copy.deepcopy(tiny_document)
        document["pairs"][0]["verdict"]["margin_percent"] = margin
        document["pairs"][0]["claims"] = build_claims(document, 0)
        assert f" with a margin of {said}: " in get_texts(document)["decision"]
        assert {find_flaw(claim, document) for claim in document["pairs"][0]["claims"]} == {None}


@pytest.mark.parametrize(
    ("scored", "full_gain", "expected"),
    [
        (90.0, 4.0, "60.0 % of the reported gain is coverage, not a better model."),
        (90.0, -1.0, "The whole reported gain is coverage: in full loss optimized (changed) is no better."),
        (90.0, 12.0, None),
        (99.0, 12.0, "Coverage hides part of the gain: the gain in full loss is larger than the reported one."),
        (99.0, 4.0, None),
    ],
)
def test_a_share_of_the_gain_is_coverage_only_where_less_is_scored(
    scored: float, full_gain: float, expected: str | None, tiny_document: dict[str, Any]
) -> None:
    document = copy.deepcopy(tiny_document)
    document["pairs"][0] |= {"reported_gain_percent": 10.0, "full_gain_percent": full_gain, "coverage_differs": True}
    for arm, share in zip(document["arms"], (95.0, scored), strict=True):
        arm["final"] |= dict.fromkeys(("coverage_percent", "coverage_low_percent", "coverage_high_percent"), share)
    document["pairs"][0]["coverage_gap_points"] = {"low": 95.0 - scored, "high": 95.0 - scored}
    texts = {claim["id"]: claim["text"] for claim in build_claims(document, 0)}
    assert texts.get("coverage-share") == expected
    assert f", which is not on equal terms: coverage {scored:.1f} % against 95.0 %" in texts["target-margin"]


def test_the_false_statements_of_the_reference_cannot_appear(
    tiny_document: dict[str, Any], worse: dict[str, Any]
) -> None:
    """On the reference's own numbers: beaten by 24.3 %, not 30.4; 1.6 never reached by the baseline; not throughout."""
    steps = [(1, 2.098, 2.098), (44, 1.950, 1.735), (88, 1.887, 1.596), (132, 1.842, 1.539), (938, 1.753, 1.328)]
    from harness.analyse.pairs import describe_pair

    document = copy.deepcopy(tiny_document)
    rows: dict[str, list[dict[str, Any]]] = {}
    for place, arm in enumerate(document["arms"], 1):
        rows[arm["name"]] = [
            {"split": "validation", "step": point[0], "max_steps": 938, "tokens_seen": point[0], "elapsed_s": point[0],
             "loss_nats_per_char": point[place]} for point in steps
        ]  # fmt: skip
        arm["final"]["loss_nats_per_char"] = steps[-1][place]
        arm["min_frozen"] = {"step": 938, "loss_nats_per_char": steps[-1][place]}
    baseline, candidate = document["arms"]
    document["pairs"][0] |= describe_pair(baseline, candidate, rows, official=True)
    document["pairs"][0]["claims"] = build_claims(document, 0)
    summary = render_markdown(SUMMARY, document)
    texts = get_texts(document)
    assert texts["target-margin"].startswith("The task's target of 1.7540 is beaten by 24.3 %, which is not on equal ")
    assert "30.4" not in summary
    assert "throughout" not in summary
    assert "expected" not in summary
    assert texts["evaluations-lower"].endswith("is lower at 4 of the 4 evaluations after the first (frozen loss).")
    assert texts["smallest-gain"] == "Smallest gain at an evaluation after the first: 11.0 % (frozen loss)."
    reached = {entry["loss_nats_per_char"]: entry for entry in document["pairs"][0]["times_to_loss"]}
    assert all(entry["baseline"] is None for loss, entry in reached.items() if loss < 1.753)
    assert "| 44 | 1.9500 | 1.7350 | 11.0 % |" in summary
    assert "not measured" in summary


@pytest.mark.parametrize("name", ["tiny_document", "worse", "equal", "larger_batch"])
def test_no_word_of_a_guess_stands_in_a_claim(name: str, request: pytest.FixtureRequest) -> None:
    for text in get_texts(request.getfixturevalue(name)).values():
        assert not re.search(r"expected|likely|should|throughout|significant|better|improv", text.replace(
            "not a better model", "")), text  # fmt: skip


def test_a_loss_that_rises_is_said_to_rise(tiny_document: dict[str, Any]) -> None:
    changed = copy.deepcopy(tiny_document)
    changed["arms"][1]["stability"] |= {"largest_rise_nats_per_char": 0.0123, "num_gradient_spikes": 3}
    changed["arms"][1]["min_frozen"] = {"step": 9, "loss_nats_per_char": 0.5}
    texts = {claim["id"]: claim["text"] for claim in build_claims(changed, 0)}
    assert "is 0.0123" in texts["largest-rise-candidate"]
    assert re.search(r"3 of \d+ gradient norms are above 10 times the median", texts["gradient-spikes-candidate"])
    assert "above the lowest one, 0.5000 at step 9" in texts["last-against-best"]
    assert "never rose" in texts["steady-baseline"]


@pytest.mark.parametrize(
    ("is_known", "said"),
    [
        (False, "; this is about one pair of runs, and of other seeds nothing is known"),
        (True, r"; this is about one pair of runs, \d\.\d\d times the known noise of training \(0\.35 %\) beyond the "
               r"margin, of 6\.25 times that a single seed needs"),
    ],
)  # fmt: skip
def test_one_seed_that_decides_nothing_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool, said: str
) -> None:
    if not is_known:
        monkeypatch.setattr("harness.plan.planning.find_known_noise", lambda *_: None)
    launcher = FakeLauncher(curves={"optimized": Curve(floor=3.25, rate=5.0)})
    document = load_document(make_comparison(tmp_path, launcher=launcher))
    assert get_texts(document)["verdict"] == "Verdict: INCONCLUSIVE (single seed)"
    assert re.search(f"titles\\){said}$", get_texts(document)["decision"])
    assert {find_flaw(claim, document) for claim in document["pairs"][0]["claims"]} == {None}
