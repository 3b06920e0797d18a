"""The sentences on a comparison as a whole: its data, when it was made, its checks, its sources, its arms together.

Those of the section `front` stand beneath the ranking wherever it is shown.
"""

from harness.claims.sentence import Sentence, of_arms, of_comparison
from harness.sources.registry import IMPORTERS
from harness.store.records import OWN_KIND

SOURCES = {kind: importer.words for kind, importer in IMPORTERS.items()} | {OWN_KIND: "the stored run"}
"""Kind of a source → what it is called."""
_SWEEP = {
    name: name
    for name in ("setting", "best", "best_value", "edge", "num_points", "lowest_value", "highest_value", "tied")
} | {"loss": "best_loss_nats_per_char"}
_RANKING = {"tied": "ranking/tied", "open": "ranking/open", "rows": "ranking/rows", "best": "ranking/rows/0/label"}
_NOTHING = "Cannot be told from nothing, by intervals that hold for all {impacts:count} impacts at once, when "
_ALL_SEEDS = "min(added) == max(added) and min(left_out) == max(left_out) and min(added) == min(left_out)"
_NOT_COMPARABLE = "raining times are not comparable: {doubts:clauses}."

ON_COMPARISON = (
    of_comparison(
        "data-kind",
        {
            'source == "synthetic"': "Synthetic corpus.",
            "official == 0": "Not the task's own data.",
            "official == 1": "The task's own data.",
        },
        {"source": "corpus/source", "official": "corpus/is_official", "train": "corpus/num_train_titles"},
        needs=("train",),
    ),
    of_comparison(
        "data",
        "Preset {preset}; titles: {description}; {train:count} for training, {validation:count} for validation.",
        {
            "preset": "preset",
            "description": "corpus/description",
            "train": "corpus/num_train_titles",
            "validation": "corpus/num_validation_titles",
        },
    ),
    of_comparison(
        "period",
        {
            "taken_in == 0 and end >= start": "Measured from {start:time} to {end:time}.",
            "end >= start": "The sources carry times from {start:time} to {end:time}.",
            "times == 0": "The sources carry no times.",
        },
        {"start": "started_at", "end": "finished_at", "times": "num_times", "taken_in": "num_runs_taken_in"},
    ),
    of_comparison(
        "checks",
        {
            "failed > 0 and unvouched > 0": "Checks: {failed} FAILED, {unvouched} CANNOT BE VOUCHED FOR, {passed} "
            "passed, {absent} not possible here.",
            "failed > 0": "Checks: {failed} FAILED, {passed} passed, {absent} not possible here.",
            "unvouched > 0": "Checks: {unvouched} CANNOT BE VOUCHED FOR, {passed} passed, {failed} failed, {absent} "
            "not possible here.",
            "failed == 0": "Checks: {passed} passed, {failed} failed, {absent} not possible here.",
        },
        {name: f"num_findings/{name}" for name in ("passed", "failed", "unvouched", "absent")},
    ),
    of_arms(
        "origin",
        {
            'taken_in > 0 and origin == "trained"': "{label}: trained here.",
            'origin == "command"': "{label}: a command of another program, run here.",
            **{f'origin == "{kind}"': f"{{label}}: {words} {{source}}." for kind, words in SOURCES.items()},
        },
        {"taken_in": "/num_runs_taken_in", "origin": "origin", "source": "source/name"},
    ),
    of_comparison(
        "ablation-nothing",
        {
            "len(ladder) > 0 and len(left) > 0": f"{_NOTHING}added: {{ladder:list}}; when left out: {{left:list}}.",
            "len(ladder) > 0": f"{_NOTHING}added: {{ladder:list}}.",
            "len(left) > 0": f"{_NOTHING}left out: {{left:list}}.",
            "len(ladder) == 0 and len(left) == 0": "Every change can be told from nothing, added and left out, by "
            "intervals that hold for all {impacts:count} impacts at once.",
        },
        {
            "ladder": "ablation/ladder_nothing",
            "left": "ablation/leave_one_out_nothing",
            "impacts": "ablation/num_impacts",
        },
        section="front",
    ),
    of_comparison(
        "ablation-lower",
        {
            "len(lower) > 1": "Arms that end lower than {recipe}, which is at {whole:loss}: {value:count} "
            "({lower:few}), the lowest at {lowest:loss}.",
            "len(lower) == 1": "One arm ends lower than {recipe}, which is at {whole:loss}: {lower:few}, at "
            "{lowest:loss}.",
        },
        {
            "lower": "ablation/lower",
            "lowest": "ablation/lowest_nats_per_char",
            "recipe": "ablation/recipe",
            "whole": "ablation/recipe_nats_per_char",
        },
        "len(lower)",
        section="front",
    ),
    of_comparison(
        "impacts-in-doubt",
        "Nothing is concluded of what these changes are worth: {units:list}; {doubts:clauses}.",
        {"units": "ablation/in_doubt/units", "doubts": "ablation/in_doubt/doubts"},
        section="front",
    ),
    of_comparison(
        "impact-intervals",
        {
            _ALL_SEEDS: "Intervals of impacts: {method}, n = {n:count}; they cover {covers}.",
            "min(added) > 0": "Intervals of impacts are each of the seeds that both arms completed, {value:count} at "
            "most, so their methods may differ.",
        },
        {name: f"ablation/ladder/0/verdict/interval_95/{name}" for name in ("method", "n", "covers")}
        | {
            "added": "ablation/ladder/*/verdict/num_seed_pairs",
            "left_out": "ablation/leave_one_out/*/verdict/num_seed_pairs",
        },
        "max(added)",
        section="ablation",
    ),
    of_comparison(
        "ranking-means",
        {
            f"{condition}{doubted}": f"The ranking gives means over {seeds}.{said}"
            for doubted, said in ((" and len(doubts) > 0", f" T{_NOT_COMPARABLE}"), ("", ""))
            for condition, seeds in (
                (
                    "len(fewer) > 0",
                    "the seeds that each arm completed, as many as {value:count}, and not over the same ones: a seed "
                    "that another arm completed is missing of {fewer:few}. A gain is of the seeds that both arms have",
                ),
                ("min(n) > 1 and min(n) == max(n)", "{value:count} seeds"),
                ("max(n) > 1", "the seeds that each arm completed, as many as {value:count}"),
            )
        }
        | {"len(doubts) > 0 and max(times) > 0": f"T{_NOT_COMPARABLE}"},
        {
            "n": "ranking/rows/*/num_seeds",
            "doubts": "ranking/time_doubts",
            "times": "ranking/rows/*/train_elapsed_s",
            "fewer": "ranking/fewer_seeds",
        },
        "max(n)",
        section="front",
    ),
    of_comparison(
        "ranking-seed",
        {
            "max(n) > 1 and min(own) == max(own)": "What the tables and findings of a pair say of one run, and the "
            "curves of the gain, are of seed {seed}."
        },
        {"n": "ranking/rows/*/num_seeds", "own": "/arms/*/seed", "seed": "arms/0/seed"},
        section="front",
    ),
    of_comparison(
        "ranking-tied",
        {"len(tied) > 0": "≈ marks what is not told apart from the best, {best}: {tied:few}."},
        _RANKING,
        unless=("impact-intervals",),
        section="front",
    ),
    of_comparison(
        "ranking-open",
        {
            "len(open) > 0 and len(rows) > 2": "? marks arms of which nothing shows whether {best} is the better "
            "recipe: {open:few}."
        },
        _RANKING,
        unless=("impact-intervals",),
        section="front",
    ),
    Sentence(
        "sweep-best",
        {
            f'edge == "{edge}"': "Best {setting} of {num_points:count} values from {lowest_value:value} to "
            f"{{highest_value:value}}: {{best_value:value}} ({{best}}, {{loss:loss}} nats per character), {where}."
            for edge, where in (
                ("inside", "with no lower loss on either side"),
                ("lowest", "at the lower edge of the sweep: a still better one may lie below"),
                ("highest", "at the upper edge of the sweep: a still better one may lie above"),
            )
        },
        _SWEEP,
        on="sweeps",
        section="front",
    ),
    Sentence(
        "sweep-tied",
        {"len(tied) > 0": "Not told apart from the best {setting} {best_value:value}: {tied:few}."},
        _SWEEP,
        on="sweeps",
    ),
)
