"""What a reader must know of runs of which only a log is known: what its counts and first losses give away, and do
not.
"""

from harness.analyse.first_losses import FIT_TOLERANCE, START_TOLERANCE
from harness.claims.sentence import Sentence, of_arms
from harness.sources.registry import IMPORTERS

_FIT = {
    name: f"forensics/fit/{path}"
    for name, path in (
        *(("status", "status"), ("reason", "reason"), ("spans", "num_spans"), ("nearest", "nearest_num_spans")),
        *(("source", "source"), ("tried", "tried"), ("low", "due_low_num_spans"), ("high", "due_high_num_spans")),
    )
}
_TASK_FIT = {name: path.replace("/fit/", "/task_fit/") for name, path in _FIT.items()} | {
    "chars": "forensics/task_fit/num_chars"
}
_COUNTS = {"mismatch": "mismatch"} | {
    f"{side}{suffix}": f"{side}/facts/{path}"
    for side in "bc"
    for suffix, path in (("", "num_train_tokens"), ("_vocab", "vocab_size"), ("_titles", "num_titles"))
}
_PER_TOKEN = "; training losses and perplexity, which are per token, do not compare between them."


def write_misfits(beginning: str, end: str) -> dict[str, str]:
    """Condition → the sentence on first losses that come to no whole number of spans, or to none that is due."""
    broken = (
        f"max(spans - nearest, nearest - spans) > {FIT_TOLERANCE}",
        "nearest < low",
        "nearest > high",
        "nearest < 1",
    )
    return {
        f'status == "does not fit" and {how} and low {symbol} high{also}': f"{beginning}{due}{end}{readings}."
        for also, readings in ((' and tried != ""', "; {tried}"), ("", ""))
        for how in broken
        for symbol, due in (("==", "{low} are"), ("<", "{low} to {high} are"))
    }


TOKENS = (
    Sentence(
        "mismatch",
        {
            "b != c and b_vocab == c_vocab": "{baseline} and {candidate}: {mismatch}: {b:count} training tokens "
            "against {c:count}, with {b_vocab:count} tokens of vocabulary.",
            "b_titles != c_titles": "{baseline} and {candidate}: {mismatch}: {b_titles:count} titles against "
            "{c_titles:count}.",
        },
        _COUNTS,
    ),
    Sentence(
        "other-tokenizer",
        {
            f"b != c and b_vocab == c_vocab{shown}": "{baseline} and {candidate}: {b:count} training tokens against "
            f"{{c:count}}, with {{b_vocab:count}} tokens of vocabulary: another tokenizer on the same titles{what}"
            for shown, what in (
                *(
                    (f' and shared == 1 and {side}_origin == "scaled"', f", as far as first losses show it{_PER_TOKEN}")
                    for side in "bc"
                ),
                (" and shared == 1", _PER_TOKEN),
                ("", " would come to that, and so would other titles."),
            )
        },
        _COUNTS,
        unless=("mismatch",),
    ),
    Sentence(
        "seed-draws-titles",
        {
            "drawn == 1": "{baseline} and {candidate}: the seed draws the titles too, as token counts or fingerprints "
            "differ by seed: their pairs are not pairs of one text, and no interval is made of them."
        },
        {"drawn": "seed_draws_titles"},
    ),
)
FIRST_LOSSES = (
    of_arms(
        "fit",
        write_misfits(
            "{label}: its first losses come to {spans:decimals} spans (from {source}), ",
            " due: the denominator, the tokenizer or the evaluation batch was changed",
        ),
        _FIT,
    ),
    of_arms(
        "task-text",
        {
            'status == "fits"': "{label}: its first losses fit the validation text of the task, {chars:count} "
            "characters, with {nearest:count} whole spans. That its titles are the task's is not proven.",
            **write_misfits(
                "{label}: on the validation text of the task, {chars:count} characters, its first losses would come to "
                "{spans:decimals} spans (from {source}), ",
                " due: its titles are others, or the denominator, the tokenizer or the evaluation batch was changed",
            ),
        },
        _TASK_FIT,
    ),
    of_arms(
        "fit-not-decidable",
        {
            'status == "not decidable"': "{label}: whether its first validation loss fits is not decidable: {reason}.",
        },
        _FIT,
        unless=("task-text",),
    ),
    of_arms(
        "start",
        {
            f"max(loss / due - 1, 1 - loss / due) > {START_TOLERANCE}": "{label}: the training loss starts at "
            "{loss:value}, far from ln {vocab:count} = {due:value}: it is divided by accumulation steps, holds other "
            "terms or does not start from a fresh model."
        },
        {
            "loss": "forensics/start/loss_nats_per_token",
            "due": "forensics/start/expected_nats_per_token",
            "vocab": "facts/vocab_size",
        },
    ),
    of_arms(
        "looks-per-token",
        {
            f"max(loss / due - 1, 1 - loss / due) <= {START_TOLERANCE}": "{label}: the validation loss starts at "
            "{loss:value}, about ln {vocab:count} = {due:value}: its validation losses look like losses per token and "
            "not per character, which --loss-unit nats_per_token says."
        },
        {
            "loss": "forensics/per_token/loss_nats",
            "due": "forensics/per_token/expected_nats_per_token",
            "vocab": "facts/vocab_size",
        },
    ),
)
COVERAGE = (
    of_arms(
        "unknown-coverage",
        "{label}: its coverage is not known: {problem}.",
        {"problem": "forensics/coverage_problem"},
    ),
    of_arms(
        "estimated-coverage",
        {
            f'origin == "estimated" and runs {symbol} 1': "{label}: its validation tokens are estimated from its "
            f"training tokens{together}, {{tokens:count}} ({{least:count}} to {{most:count}}): coverage "
            "{low:percent} to {high:percent}, on equal terms {low_loss:loss} to {high_loss:loss}."
            for symbol, together in (("==", ""), (">", ", in one for all {runs} runs with these counts"))
        }
        | {
            'origin == "scaled"': "{label}: its tokens are others than those of a run here on as many titles, and its "
            "first losses fit the {chars:count} characters there: its text is taken to be the same, which is not "
            "proven, and its validation tokens to be as many more or fewer as its training tokens, {tokens:count} "
            "({least:count} to {most:count}): coverage {low:percent} to {high:percent}, on equal terms "
            "{low_loss:loss} to {high_loss:loss}."
        },
        {
            "origin": "forensics/validation/origin",
            "chars": "forensics/validation/num_chars",
            "tokens": "forensics/validation/num_tokens",
            "least": "forensics/validation/low_num_tokens",
            "most": "forensics/validation/high_num_tokens",
            "runs": "forensics/num_runs_of_text",
            "low": "final/coverage_low_percent",
            "high": "final/coverage_high_percent",
            "low_loss": "final/matched_low_nats_per_char",
            "high_loss": "final/matched_high_nats_per_char",
        },
    ),
)
ORIGIN = (
    of_arms(
        "logs",
        {
            f'origin == "{origin}"': "{label}: only what its log says is known; code, titles, machine and weights are "
            "not. What a log cannot prove is NOT CHECKED below."
            for origin in (*IMPORTERS, "command")
        },
        {"origin": "origin"},
    ),
    of_arms(
        "official-size",
        {
            'official == 1 and origin == "official"': "{label}: {trained:count} training tokens with a vocabulary of "
            "{vocab:count} are those of the task's own data as it was first published; its size is used, {chars:count} "
            "characters and about {tokens:count} validation tokens. That the titles are the task's is not proven."
        },
        {
            "official": "forensics/is_official",
            "origin": "forensics/validation/origin",
            "trained": "facts/num_train_tokens",
            "vocab": "facts/vocab_size",
            "chars": "forensics/validation/num_chars",
            "tokens": "forensics/validation/num_tokens",
        },
    ),
)
READING = (
    of_arms(
        "clock-gaps",
        {
            "gaps > 0": "{label}: its clock has {gaps:count} gap(s), {gap:duration} together; they are not counted as "
            "training time."
        },
        {"gaps": "forensics/clock/num_gaps", "gap": "forensics/clock/gap_s"},
    ),
    of_arms(
        "clock-setbacks",
        {"setbacks > 0": "{label}: its clock goes back {setbacks:count} time(s), as after a restart."},
        {"setbacks": "forensics/clock/num_setbacks"},
    ),
    of_arms(
        "missing-evaluations",
        {
            "len(missing) > 0": "{label}: it has {evaluations:count} evaluations; the task's steps {missing:few} are "
            "not among them."
        },
        {"missing": "forensics/missing_evaluations", "evaluations": "forensics/num_evaluations"},
    ),
    of_arms("notes", {"len(notes) > 0": "{label}: {notes:clauses}."}, {"notes": "notes"}),
)
