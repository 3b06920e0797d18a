"""The sentences on a comparison as a whole, before anything is compared: its data, when it was made, where from."""

from harness.claims.sentence import Sentence
from harness.sources.registry import IMPORTERS
from harness.store.runs import OWN_KIND

SOURCES = {kind: importer.words for kind, importer in IMPORTERS.items()} | {OWN_KIND: "the stored run"}
"""Kind of a source → what it is called."""

OPENING = (
    Sentence(
        "data-kind",
        {
            'source == "synthetic"': "Synthetic corpus.",
            "official == 0": "Not the task's own data.",
            "official == 1": "The task's own data.",
        },
        {"source": "corpus/source", "official": "corpus/is_official", "train": "corpus/num_train_titles"},
        needs=("train",),
        on="comparison",
    ),
    Sentence(
        "data",
        "Preset {preset}; titles: {description}; {train:count} for training, {validation:count} for validation.",
        {
            "preset": "preset",
            "description": "corpus/description",
            "train": "corpus/num_train_titles",
            "validation": "corpus/num_validation_titles",
        },
        on="comparison",
    ),
    Sentence(
        "period",
        {
            "taken_in == 0 and end >= start": "Measured from {start:time} to {end:time}.",
            "end >= start": "The sources carry times from {start:time} to {end:time}.",
            "times == 0": "The sources carry no times.",
        },
        {"start": "started_at", "end": "finished_at", "times": "num_times", "taken_in": "num_runs_taken_in"},
        on="comparison",
    ),
)
CHECKS = (
    Sentence(
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
        on="comparison",
    ),
)
ORIGINS = (
    Sentence(
        "origin",
        {
            'taken_in > 0 and origin == "trained"': "{label}: trained here.",
            'origin == "command"': "{label}: a command of another program, run here.",
            **{f'origin == "{kind}"': f"{{label}}: {words} {{source}}." for kind, words in SOURCES.items()},
        },
        {"taken_in": "/num_runs_taken_in", "origin": "origin", "source": "source/name"},
        on="arms",
    ),
)
