"""The sentences on many arms: which value of a sweep is best, what cannot be told apart, and from nothing.

Those of the section `front` stand beneath the ranking wherever it is shown.
"""

from harness.claims.headline import VERDICT_RULES
from harness.claims.sentence import Sentence

_SWEEP = {
    name: name
    for name in ("setting", "best", "best_value", "edge", "num_points", "lowest_value", "highest_value", "tied")
} | {"loss": "best_loss_nats_per_char"}
_AMONG = "of {num_points:count} values from {lowest_value:value} to {highest_value:value}"
SWEEPS = (
    Sentence(
        "sweep-best",
        {
            'edge == "inside"': f"Best {{setting}} {_AMONG}: {{best_value:value}} ({{best}}, {{loss:loss}} nats per "
            "character), with worse ones on either side.",
            'edge == "lowest"': f"Best {{setting}} {_AMONG}: {{best_value:value}} ({{best}}, {{loss:loss}} nats per "
            "character), at the lower edge of the sweep: a still better one may lie below.",
            'edge == "highest"': f"Best {{setting}} {_AMONG}: {{best_value:value}} ({{best}}, {{loss:loss}} nats per "
            "character), at the upper edge of the sweep: a still better one may lie above.",
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
_NOTHING = "Cannot be told from nothing, by intervals that hold for all {impacts:count} impacts at once, when "
ABLATED = (
    Sentence(
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
        on="comparison",
        section="front",
    ),
    Sentence(
        "impact-intervals",
        "Intervals of impacts: {method}, n = {n:count}; they cover {covers}.",
        {name: f"ablation/ladder/0/verdict/interval_95/{name}" for name in ("method", "n", "covers")},
        on="comparison",
        section="ablation",
    ),
)
_NOT_COMPARABLE = "raining times are not comparable: {doubts:clauses}."
RANKED = (
    Sentence(
        "ranking-means",
        {
            f"{condition}{doubted}": f"Losses, gain, times and memory are means over {seeds}.{said}"
            for doubted, said in ((" and len(doubts) > 0", f" T{_NOT_COMPARABLE}"), ("", ""))
            for condition, seeds in (
                ("min(n) > 1 and min(n) == max(n)", "{value:count} seeds"),
                ("max(n) > 1", "the seeds that each arm completed, as many as {value:count}"),
            )
        }
        | {"len(doubts) > 0 and max(times) > 0": f"T{_NOT_COMPARABLE}"},
        {"n": "ranking/rows/*/num_seeds", "doubts": "ranking/time_doubts", "times": "ranking/rows/*/train_elapsed_s"},
        "max(n)",
        on="comparison",
        section="front",
    ),
    Sentence(
        "ranking-tied",
        {"len(tied) > 0": "≈ marks what is not told apart from the best, {best}: {tied:few}."},
        {"tied": "ranking/tied", "best": "ranking/rows/0/label"},
        unless=("impact-intervals",),
        on="comparison",
        section="front",
    ),
    Sentence(
        "ranking-open",
        {
            "len(open) > 0 and len(rows) > 2": "? marks arms of which nothing shows whether {best} is better than "
            "they: {open:few}."
        },
        {"open": "ranking/open", "rows": "ranking/rows", "best": "ranking/rows/0/label"},
        unless=("impact-intervals",),
        on="comparison",
        section="front",
    ),
)
OF_THE_RUNS = (
    Sentence(
        "runs-word",
        {
            f'pairs == 1 and runs_word == "{word}" and {rule}': "Of this pair of runs alone, for other titles of the "
            "same kind: {runs_word}"
            for word, rule in VERDICT_RULES.items()
        },
        {
            "runs_word": "verdict/runs_word",
            "pairs": "verdict/num_seed_pairs",
            "margin": "verdict/margin_percent",
            **{
                f"{prefix}{bound}": f"verdict/interval_{level}/{bound}_percent"
                for prefix, level in (("", 95), ("narrow_", 90))
                for bound in ("low", "high")
            },
        },
        section="certainty",
    ),
)
