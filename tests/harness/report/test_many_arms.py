"""Reports on more arms than can be shown one by one."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.analyse.certainty import draw_titles
from harness.cli.app import main
from harness.formats import ABSENT, format_percent
from harness.plan.plan import PlannedRun
from harness.report import front, ranking_table
from harness.report.blocks import Note, Table
from harness.report.change_section import NOT_MEASURED, ONE_SIDED, describe_changes
from harness.report.curves import MAX_NAMED, Curves
from harness.report.figures import save_figures
from harness.report.render import MAX_SUMMARY_CHARS, render_html, render_markdown
from harness.store.document import load_document
from harness.store.facts import RunFacts
from harness.store.measurements import load_metrics
from tests.harness.sources.logs import Lines, Shape, write_json
from tests.harness.sources.test_imports import SUMMARY, compare, write

NUM_LOGS = 12


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    logs = {f"wd{place:02}": write_json(shape(place).build()) for place in range(NUM_LOGS)}
    assert compare(write(folder, **logs), folder / "out") == 0
    return folder / "out"


def shape(place: int) -> Shape:
    return Shape(final=1.4 - 0.01 * place, num_train_tokens=1_000_000, hyperparameters={"weight_decay": 0.01 * place})


def test_the_ranking_comes_first_with_all_that_tells_arms_apart(sweep: Path) -> None:
    summary = (sweep / SUMMARY).read_text(encoding="utf-8")
    table = summary.index("| 1 | wd11 ")
    assert table < summary.index("INCONCLUSIVE")
    header = next(line for line in summary.splitlines() if "| Arm |" in line)
    for column in ("Coverage-matched frozen loss", "Frozen loss", "Spans", "Coverage", "Time as logged", "Parameters",
                   "Steps", "Last above best", "Gain"):  # fmt: skip
        assert f"| {column} " in header
    ranked = [line.split("|")[2].strip() for line in summary.splitlines() if line.startswith("| ") and "| wd" in line]
    assert ranked[:NUM_LOGS] == [f"wd{place:02}" for place in reversed(range(NUM_LOGS))]


def test_on_paper_the_ranking_has_no_more_columns_than_fit_and_keeps_what_decides(sweep: Path) -> None:
    document = load_document(sweep)
    whole, paper = (ranking_table.describe_ranking(document, on_paper=on_paper) for on_paper in (False, True))
    assert len(whole.header) > len(paper.header) == 3 + ranking_table.MAX_ON_PAPER + 1
    assert {"Coverage-matched frozen loss", "Frozen loss", "Coverage", "Gain"} < {*paper.header}
    page = render_html(document, {}, on_screen=False)
    assert ">Frozen loss</th>" in page and ">Steps</th>" not in page


def test_settings_that_one_of_two_programs_does_not_name_are_no_changes(tiny_document: dict[str, Any]) -> None:
    pair, arms = tiny_document["pairs"][0], tiny_document["arms"]
    assert any(None in (change["baseline"], change["candidate"]) for change in pair["changes"])
    for origin, is_cut in (("trained", False), ("log", True)):
        document = {**tiny_document, "arms": [arms[0], {**arms[1], "origin": origin}]}
        section = describe_changes(document, pair)
        assert (Note(ONE_SIDED) in section.blocks) == is_cut
        [table] = [block for block in section.blocks if isinstance(block, Table) and "Setting" in block.header]
        assert (ABSENT in [cell for row in table.rows for cell in row]) != is_cut


@pytest.mark.parametrize(
    ("changed", "origin", "is_alone"),
    [
        ({}, "trained", True),
        ({"doubts": ["its first validation loss does not fit"]}, "trained", False),
        ({"has_other_code": True}, "trained", False),
        ({"code_changes": [{"name": "step.py", "num_added": 1, "num_removed": 0}]}, "trained", False),
        ({}, "log", False),
    ],
)
def test_the_gain_of_a_pair_is_the_worth_of_a_setting_only_where_nothing_else_may_differ(
    tiny_document: dict[str, Any], changed: dict[str, Any], origin: str, is_alone: bool
) -> None:
    [pair], arms = tiny_document["pairs"], tiny_document["arms"]
    changes = [{"key": "model.dropout", "baseline": 0.2, "candidate": 0.1}]
    document = {**tiny_document, "arms": [arms[0], {**arms[1], "origin": origin}]}
    found = [
        describe_changes(document, {**pair, **changed, "changes": each}).blocks[0] for each in (changes, changes * 2)
    ]
    worths = [[row[-1] for row in table.rows] for table in found if isinstance(table, Table)]
    worth = f"{format_percent(pair['verdict']['gain_percent'], 2)}, {pair['verdict']['label']}"
    assert worths == [[worth if is_alone else NOT_MEASURED], [NOT_MEASURED] * 2]


def test_of_settings_that_a_source_does_not_state_nothing_is_said(tmp_path: Path) -> None:
    sources = write(tmp_path, base=write_json(shape(0).build()), other=write_json(shape(0).build()[:-1]))
    (tmp_path / "table.csv").write_text("step,val_loss\n0,2.08\n600,1.2\n", encoding="utf-8")
    assert compare([*sources, str(tmp_path / "table.csv")], tmp_path / "out", "--loss-unit", "nats_per_char") == 0
    document = load_document(tmp_path / "out")
    changes = {row["arm"]: row["change"] for row in document["ranking"]["rows"]}
    assert changes["other"] == "nothing that is stated" and changes["table"] == "settings not stated"
    section = describe_changes(document, next(pair for pair in document["pairs"] if pair["candidate"] == "table"))
    assert Note(ONE_SIDED) in section.blocks and [
        table.rows for table in section.blocks if isinstance(table, Table)
    ] == [[], []]
    assert "Scalars, where a run gives them:" in (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")


def test_the_best_arms_alone_are_shown_in_detail_and_comparison_json_holds_all(sweep: Path) -> None:
    document = load_document(sweep)
    summary = (sweep / SUMMARY).read_text(encoding="utf-8")
    assert len(document["pairs"]) == NUM_LOGS - 1
    assert summary.count("## Key Changes Made") == front.MAX_DETAILED
    assert "Of the other arms the numbers stand in the ranking" in summary
    assert len([caveat for caveat in document["caveats"] if caveat["id"] == "logs"]) == NUM_LOGS
    assert summary.count("only what its log says is known") == front.MAX_ALIKE


def test_a_summary_fits_a_comment_however_long_its_parts_are(sweep: Path) -> None:
    document = load_document(sweep)
    document["pairs"][-1]["steps"] *= 60
    assert len(render_markdown(f"{SUMMARY}.j2", document)) <= MAX_SUMMARY_CHARS
    for finding in document["constraints"]:
        finding["title"] *= 200
    cut = render_markdown(f"{SUMMARY}.j2", document)
    assert len(cut) <= MAX_SUMMARY_CHARS and "all of it stands in" in cut


def test_arms_beyond_the_best_eight_are_drawn_without_a_name(sweep: Path) -> None:
    document = load_document(sweep)
    curves = Curves(document, {})
    assert curves.has_many and curves.named == [row["arm"] for row in document["ranking"]["rows"][:MAX_NAMED]]


def test_each_of_many_arms_has_a_small_curve_over_the_first_ones(
    sweep: Path, tiny_document: dict[str, Any], tmp_path: Path
) -> None:
    document = load_document(sweep)
    assert "arms" in document["figures"] and "arms" not in tiny_document["figures"]
    save_figures(tmp_path, document, load_metrics(sweep))
    drawn = (tmp_path / "figures" / "arms.svg").read_text(encoding="utf-8")
    for place in range(1, NUM_LOGS):
        assert drawn.count(f">wd{place:02}<") == 1
    assert "grey: wd00<" in drawn and drawn.count("stroke: #bfbfbf") == NUM_LOGS - 1


def test_imported_comparisons_are_listed_with_their_losses(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--results", str(sweep.parent), "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["comparisons"]
    assert len(entries) == NUM_LOGS - 1
    best, pair = entries[-1], load_document(sweep)["pairs"][-1]
    assert (best["baseline_loss"], best["candidate_loss"]) == (pair["basis"]["baseline"], pair["basis"]["candidate"])
    assert best["gain_percent"] == pytest.approx(100 * 0.11 / 1.4) and "coverage-matched" in best["basis"]


def relabel(lines: Lines, **fields: Any) -> Lines:
    return [line | ({key: value for key, value in fields.items() if key in line}) for line in lines]


@pytest.mark.parametrize(
    ("counts", "is_shared", "said"),
    [
        ((1_102_400, 1_103_600), True, "another tokenizer on the same titles; training losses and perplexity"),
        ((1_000_000, 1_008_000), None, "another tokenizer on the same titles would come to that, and so would other"),
    ],
)
def test_another_tokenizer_on_as_many_titles_is_no_failure(
    counts: tuple[int, int], is_shared: bool | None, said: str, tmp_path: Path
) -> None:
    """The first two fit the characters of the task's text, the others do not."""
    logs = {name: Shape(final=1.4, num_train_tokens=count) for name, count in zip("ab", counts, strict=True)}
    sources = write(tmp_path, **{name: write_json(shape.build()) for name, shape in logs.items()})
    assert compare(sources, tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    (found,) = [finding for finding in document["integrity"] if finding["name"] == "same-tokens"]
    assert found["status"] == "NOT CHECKED" and "another tokenizer on the same titles" in found["evidence"]
    pair = document["pairs"][0]
    assert pair["mismatch"] is None and pair["text_is_shared"] is is_shared
    caveats = {claim["id"]: claim["text"] for claim in document["caveats"]}
    assert said in caveats["other-tokenizer"]


@pytest.mark.parametrize("count", [1_103_600, 1_300_000])
def test_what_many_runs_count_alike_is_said_once(count: int, tmp_path: Path) -> None:
    counts = [1_102_400, *[count] * 8]
    logs = {f"arm{n}": Shape(final=1.4 + n / 100, num_train_tokens=count) for n, count in enumerate(counts)}
    sources = write(tmp_path, **{name: write_json(shape.build()) for name, shape in logs.items()})
    assert compare(sources, tmp_path / "out") == 0
    (found,) = [each for each in load_document(tmp_path / "out")["integrity"] if each["name"] == "same-tokens"]
    said = f"with a vocabulary of 16,000: arm0-s1337 1,102,400, arm1-s1337 {count:,} (and arm2-s1337, "
    assert found["evidence"].count("1,102,400") == 1 and said in found["evidence"]
    assert found["evidence"].endswith("arm7-s1337 and 1 more)")


def test_texts_that_are_not_shown_to_be_the_same_get_no_percentage_in_the_headline(tmp_path: Path) -> None:
    toy = relabel(Shape(final=0.9, vocab_size=30, first_training_loss=3.4).build(), num_titles=80)
    toy = [{key: value for key, value in line.items() if key not in ("num_titles", "titles_count")} for line in toy]
    sources = write(tmp_path, real=write_json(Shape().build()), toy=write_json(toy))
    assert compare(sources, tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    (pair,) = document["pairs"]
    assert pair["text_is_shared"] is None
    headline = [claim["text"] for claim in pair["claims"] if claim["section"] in ("conclusion", "headline", "final")]
    assert not any("lower" in text or "higher" in text for text in headline)
    assert "nothing shows that the two were evaluated on one text" in pair["verdict"]["reason"]
    table = ranking_table.describe_ranking(document)
    assert [row[-1] for row in table.rows if row[1] == "toy"] == [ranking_table.UNKNOWN_TEXT]


def test_a_seed_that_draws_the_titles_too_is_noticed() -> None:
    def build(counts: dict[int, int]) -> Any:
        runs = {
            PlannedRun(arm, seed): SimpleNamespace(facts=RunFacts(num_train_tokens=count))
            for arm in ("a", "b")
            for seed, count in counts.items()
        }
        return cast(Any, SimpleNamespace(runs=runs))

    assert draw_titles(build({1: 1_000, 2: 1_004}), ("a", "b"), [1, 2])
    assert not draw_titles(build({1: 1_000, 2: 1_000}), ("a", "b"), [1, 2])
