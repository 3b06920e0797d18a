"""The real library without a hub: its cache as it prepares one, and its own switch against going out."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import numpy as np
import pytest

from harness.check.reread import read_titles
from harness.launch.training import build_training_job
from harness.plan.plan import Arm, Plan, PlannedRun
from harness.plan.request import CompareRequest
from mainrun.data.corpus import CorpusSource, load_corpus
from mainrun.record.errors import MachineError

NAME = "julien040/hacker-news-posts"
COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40
COUNTS = ("num_train_titles", "num_validation_titles")
TITLES = [f"title {row}" for row in range(10)]


def prepare(cache: Path, commit: str, titles: list[str], *, num_shards: int = 1, config: str = "default") -> Path:
    """Puts a dataset into the cache, as the library does after a download."""
    rows = cache.parent / "rows.parquet"
    dataset = datasets.Dataset.from_dict({"title": titles})
    dataset.to_parquet(rows)
    builder = datasets.load_dataset_builder("parquet", data_files={"train": str(rows)}, cache_dir=str(cache / "made"))
    builder.download_and_prepare()
    folder = cache / "julien040___hacker-news-posts" / config / "0.0.0" / commit
    folder.mkdir(parents=True)
    info = json.loads((Path(builder.cache_dir) / "dataset_info.json").read_text()) | {"config_name": "default"}
    if num_shards > 1:
        info["splits"]["train"]["shard_lengths"] = [len(dataset.shard(num_shards, n)) for n in range(num_shards)]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    dataset.save_to_disk(cache / "made" / commit, num_shards=num_shards)
    for file in (cache / "made" / commit).glob("*.arrow"):
        end = file.name.removeprefix("data") if num_shards > 1 else ".arrow"
        shutil.copy(file, folder / f"hacker-news-posts-train{end}")
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no network here")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
    return tmp_path / "cache"


def load_both(revision: str | None) -> tuple[list[str], list[str]]:
    source = CorpusSource("hub", revision)
    corpus = load_corpus(source, num_titles=7, val_fraction=0.0)
    assert (corpus.record.revision, corpus.record.num_available) == (revision, 10)
    plan = SimpleNamespace(corpus=dict(zip(COUNTS, (7, 0), strict=True)))
    again = read_titles(plan, source)  # type: ignore[arg-type]
    assert not isinstance(again, str)
    return corpus.train_titles, again.train


def refuse_both(revision: str = COMMIT) -> None:
    source, plan = CorpusSource("hub", revision), SimpleNamespace(corpus=dict.fromkeys(COUNTS, 5))
    with pytest.raises(MachineError):
        load_corpus(source, num_titles=10, val_fraction=0.5)
    with pytest.raises(MachineError):
        read_titles(plan, source)  # type: ignore[arg-type]


@pytest.mark.parametrize("num_shards", [1, 3])
def test_a_commit_that_the_cache_holds_is_read_without_the_hub_by_both_readers(cache: Path, num_shards: int) -> None:
    prepare(cache, COMMIT, TITLES, num_shards=num_shards)
    newer = prepare(cache, OTHER, ["newer"] * 10)
    os.utime(newer, (2e9, 2e9))
    expected = [TITLES[row] for row in np.random.default_rng(1337).permutation(10)[:7]]
    assert load_both(COMMIT) == (expected, expected)


def test_nothing_is_written_into_a_cache_that_is_read(cache: Path) -> None:
    folder = prepare(cache, COMMIT, TITLES)
    before = sorted(folder.iterdir())
    load_both(COMMIT)
    assert sorted(folder.iterdir()) == before


def test_another_commit_in_the_cache_is_not_taken_for_the_one_asked(cache: Path) -> None:
    """The library itself would take it, without a network."""
    prepare(cache, COMMIT, TITLES)
    assert len(datasets.load_dataset(NAME, split="train", revision=OTHER)) == 10
    with pytest.raises(MachineError, match=f"the cache holds {COMMIT}: name one with --data-revision"):
        load_corpus(CorpusSource("hub", OTHER), num_titles=7, val_fraction=0.0)
    refuse_both(OTHER)


@pytest.mark.parametrize("revision", [None, "main"])
def test_what_only_the_hub_can_resolve_is_refused_with_the_commits_of_the_cache(
    cache: Path, revision: str | None
) -> None:
    prepare(cache, COMMIT, TITLES)
    with pytest.raises(MachineError, match=f"the cache holds {COMMIT}"):
        load_corpus(CorpusSource("hub", revision), num_titles=7, val_fraction=0.0)


def test_a_cached_dataset_that_lacks_a_file_or_has_been_cut_to_some_files_is_not_taken(cache: Path) -> None:
    folder = prepare(cache, COMMIT, TITLES, num_shards=3)
    (folder / "hacker-news-posts-train-00001-of-00003.arrow").unlink()
    refuse_both()
    shutil.rmtree(cache)
    prepare(cache, COMMIT, TITLES, config="default-abcdef0123456789")
    refuse_both()


def test_every_run_is_given_the_commit_that_the_plan_resolved() -> None:
    run, request = PlannedRun("baseline", 1), CompareRequest(("baseline",), "quick", (1,), data="hub")
    plan = Plan("x", "quick", {"revision": COMMIT}, (Arm("baseline", "baseline", {}, {}, {}),), (1,), (run,))
    job = build_training_job(request, plan, run, Path("x"), "0")
    assert f"--data-revision={COMMIT}" in job.argv
