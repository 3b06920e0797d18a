"""Hostile titles, names and settings through real trainings: shown as text, no network, nothing outside the folder.

The processes run under an audit hook that writes down every connection and every file they open.
"""

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from pypdf import PdfReader

from mainrun.data.synthetic import generate_headlines
from tests.robustness import HOSTILE_NAMES, HOSTILE_TITLES

SETTINGS = {"num_titles": "300", "vocab_size": "300", "n_layer": "1", "n_head": "2", "d_model": "16",
            "block_size": "16", "batch_size": "64"}  # fmt: skip
ARMS = ("baseline", "optimized")
AUDIT = """
import os, sys
def note(event, arguments):
    if event in ("open", "socket.connect", "socket.getaddrinfo"):
        with_mode = f"{arguments[0]!r} {arguments[1]!r}" if event == "open" else repr(arguments[-2:])
        os.write(FILE, f"{event} {with_mode}\\n".encode(errors="replace"))
FILE = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(note)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "hook").mkdir(exist_ok=True)
    (folder / "hook" / "sitecustomize.py").write_text(AUDIT)
    environment = os.environ | {"PYTHONPATH": f"{folder / 'hook'}:{Path(__file__).parents[1]}"}
    environment |= {"AUDIT_LOG": str(folder / "audit.log"), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=folder, env=environment, capture_output=True
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A real comparison on hostile titles from a file of a hostile name, and what it said."""
    folder = tmp_path_factory.mktemp("hostile")
    titles = [*HOSTILE_TITLES, *HOSTILE_TITLES, *map(str, generate_headlines(300 - 2 * len(HOSTILE_TITLES)))]
    data = folder / HOSTILE_NAMES[0]
    data.write_text("".join(f"{json.dumps({'title': title})}\n" for title in titles))
    options = [f"--set={arm}.{key}={value}" for arm in ARMS for key, value in SETTINGS.items()]
    done = run(folder, "compare", f"--data={data.name}", "--device=cpu", "--out=out/hostile", *options)
    assert done.returncode in (0, 6), done.stderr.decode()
    return folder, (done.stdout + done.stderr).decode()


def find_unsafe(text: str) -> set[str]:
    return {repr(c) for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in "\n\r\t"}


def test_the_terminal_shows_no_control_character(compared: tuple[Path, str]) -> None:
    assert not find_unsafe(compared[1])


def test_no_title_and_no_live_markup_is_in_any_report(compared: tuple[Path, str]) -> None:
    folder = compared[0] / "out" / "hostile"
    texts = {path.name: path.read_text() for path in [*folder.glob("*.md"), *folder.glob("figures/*.svg")]}
    if (folder / "report.pdf").exists():
        texts["report.pdf"] = "".join(page.extract_text() for page in PdfReader(folder / "report.pdf").pages)
        for page in PdfReader(folder / "report.pdf").pages:
            for annotation in page.get("/Annots") or []:
                assert "/URI" not in annotation.get_object().get("/A", {})
    for path in folder.glob("logs/tensorboard/*/*"):
        texts[path.name] = path.read_bytes().decode(errors="replace")
    for name, text in texts.items():
        for title in HOSTILE_TITLES:
            assert len(title) < 8 or title not in text, name
        if not name.startswith("events"):
            assert not find_unsafe(text), name
        if name.endswith((".md", ".svg")):
            outside_code = re.sub(r"^```\n.*?\n```$", "", text, flags=re.MULTILINE | re.DOTALL)
            assert not re.search(r"(?<!\\)<(script|img)|(?<!\\)!\[x", outside_code), name


def test_nothing_was_asked_of_a_network_and_nothing_outside_was_written(compared: tuple[Path, str]) -> None:
    folder = compared[0]
    lines = (folder / "audit.log").read_text().splitlines()
    opened = [line for line in lines if line.startswith("open ")]
    assert len(opened) > 1000, "the hook did not run"
    assert not [line for line in lines if line.startswith("socket.") and "'/" not in line]
    for path, mode in re.findall(r"^open '([^']*)' '([rwaxb+]+)'$", "\n".join(opened), re.MULTILINE):
        inside = Path(folder / path).is_relative_to(folder) or path.startswith(("/tmp", "/dev/", os.devnull))
        assert inside or (mode[0] == "r" and "+" not in mode), path
    assert not [line for line in opened if "etc/passwd" in line or "owned" in line or "evil.example" in line]
    assert {path.name for path in folder.iterdir()} == {HOSTILE_NAMES[0], "hook", "audit.log", "cache", "out"}


def test_the_same_runs_are_taken_over_for_real_and_verified(compared: tuple[Path, str]) -> None:
    folder = compared[0]
    options = [f"--set={arm}.{key}={value}" for arm in ARMS for key, value in SETTINGS.items()]
    arguments = [f"--data={HOSTILE_NAMES[0]}", "--device=cpu", "--out=out/again", "--reuse=out/hostile", *options]
    done = run(folder, "compare", *arguments)
    assert done.returncode in (0, 6), done.stderr.decode()
    for arm in ARMS:
        record = json.loads((folder / "out" / "again" / "runs" / f"{arm}-s1337" / "run.json").read_text())
        assert record["taken_over"]["comparison"] == "hostile"
    judged = run(folder, "verify", "out/again", f"--data={HOSTILE_NAMES[0]}")
    assert judged.returncode == 0, judged.stdout.decode()


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_is_a_wrong_request_shown_as_text(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from harness.cli.app import main

    tries = [["compare", name, "baseline"], ["compare", f"--data={name}"], ["compare", f"--preset={name}"],
             ["ablate", name], ["compare", f"--set={name}"], ["compare", f"--set=baseline.{name}=1"],
             ["compare", f"--set=baseline.optimizer={name}"], ["compare", f"--set=baseline.schedule={name}"],
             ["compare", f"--set={name}.dropout=0.1"], ["compare", f"--set=baseline.dropout={name}"]]  # fmt: skip
    for arguments in tries:
        assert main([*arguments, f"--out={tmp_path / 'out'}"]) == 2, arguments
        assert main([*arguments, f"--out={tmp_path / 'out'}", "--json"]) == 2
        captured = capfd.readouterr()
        assert not find_unsafe(captured.out + captured.err)
        assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()
