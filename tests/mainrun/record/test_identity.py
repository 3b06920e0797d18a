import ast
from pathlib import Path
from typing import Any

import pytest

import mainrun
from mainrun.provenance import compute_source_sha256
from mainrun.record.identity import compute_identity, decides_numbers, select_code_and_machine

PACKAGE = Path(str(mainrun.__file__)).parent
RECORD: dict[str, Any] = {
    "seed": 1,
    "config": {"model.n_layer": 1},
    "train_ids_sha256": "a",
    "validation_ids_sha256": "b",
    "machine": {
        "device": "cpu",
        "precision": "float32",
        "num_threads": 2,
        "cpu_capability": "AVX2",
        "library_versions": {"torch": "2.13.0", "pandas": "3"},
        "commit": "c",
    },
    "source_sha256": {"model/gpt.py": "1", "recipes.py": "2", "data/synthetic_words.py": "3"},
}
NOT_DECIDING = ("recipes.py", "train.py", "config.py", "data/synthetic_words.py", "data/title_files.py",
                "data/corpus.py", "data/tokenizer.py", "provenance.py", "record/journal.py")  # fmt: skip
DECIDING = ("model/gpt.py", "model/attention.py", "optim/adamw.py", "optim/schedules.py", "metric/evaluate.py",
            "metric/full_loss.py", "data/batches.py", "step.py", "run.py", "devices.py", "rules.py")  # fmt: skip


def change(path: str, value: object) -> dict[str, Any]:
    first, _, rest = path.partition("/")
    return RECORD | {first: {**RECORD[first], rest: value} if rest else value}


@pytest.mark.parametrize("name", NOT_DECIDING)
def test_a_recipe_an_importer_or_an_option_more_makes_no_other_run(name: str) -> None:
    assert (PACKAGE / name).exists()
    changed = change(f"source_sha256/{name}", "changed")
    assert compute_identity(changed) == compute_identity(RECORD)
    assert select_code_and_machine(changed) == select_code_and_machine(RECORD)


@pytest.mark.parametrize("name", DECIDING)
def test_code_that_decides_numbers_makes_another_run(name: str) -> None:
    assert (PACKAGE / name).exists()
    changed = change(f"source_sha256/{name}", "changed")
    assert compute_identity(changed) != compute_identity(RECORD)
    assert select_code_and_machine(changed) != select_code_and_machine(RECORD)


@pytest.mark.parametrize(
    "path", ["seed", "train_ids_sha256", "validation_ids_sha256", "config/model.n_layer", "machine/num_threads",
             "machine/precision", "machine/device", "machine/cpu_capability", "machine/library_versions"]
)  # fmt: skip
def test_settings_tokens_and_the_kind_of_machine_make_another_run(path: str) -> None:
    value = {"torch": "2.12.0"} if path.endswith("library_versions") else "changed"
    assert compute_identity(change(path, value)) != compute_identity(RECORD)


def test_another_kind_of_gpu_makes_another_run() -> None:
    def build(device: str, name: str) -> dict[str, Any]:
        return RECORD | {"machine": RECORD["machine"] | {"device": device, "device_name": name}}

    assert compute_identity(build("cuda", "one")) != compute_identity(build("cuda", "two"))
    assert compute_identity(build("cpu", "one")) == compute_identity(build("cpu", "two"))


@pytest.mark.parametrize("path", ["status", "arm", "corpus", "machine/commit"])
def test_names_and_commits_make_no_other_run(path: str) -> None:
    assert compute_identity(RECORD | {"arm": "x"} if path == "arm" else change(path, "y") if "/" in path else
                            RECORD | {path: {}}) == compute_identity(RECORD)  # fmt: skip


def test_all_that_the_step_and_the_metric_compute_with_is_code_that_decides() -> None:
    """What those modules import, directly or not, decides too; but for errors, settings and what is hashed itself."""
    found, waiting = set(), ["step.py", "metric/full_loss.py", "metric/evaluate.py", "data/batches.py"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mainrun."):
                waiting.append(f"{node.module.removeprefix('mainrun.').replace('.', '/')}.py")
    of_no_numbers = {"config.py", "settings.py", "data/settings.py", "step_clock.py", "record/errors.py"}
    assert {name for name in found if not decides_numbers(name)} <= of_no_numbers
    assert found <= set(compute_source_sha256())
