"""The pictures of the README, made from a committed comparison: `make images`.

Page 1 is the committed report.pdf's, by pdftoppm; the terminal's last lines are those that `report` prints on a copy.
"""

import contextlib
import os
import pty
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from shutil import copytree

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
COMPARISON = Path("results") / "mainrun-frontier"
PAGE_DPI = 110
TERMINAL_COLUMNS = 120
FONT_SIZE_POINTS = 10.0
LINE_HEIGHT, CHARACTER_WIDTH, BORDER = 1.45, 0.602, 1.6
"""In font sizes; the width is that of a character of DejaVu Sans Mono."""
TERMINAL_DPI = 130
BACKGROUND, TEXT, FAINT = "#16181d", "#e6e6e6", "#8ab4f8"


def render_page(pdf: Path, image: Path) -> None:
    """The first page of a PDF as PNG; `CalledProcessError` where pdftoppm refuses it."""
    stem = image.with_suffix("")
    subprocess.run(
        ["pdftoppm", "-png", "-r", str(PAGE_DPI), "-f", "1", "-l", "1", "-singlefile", pdf, stem], check=True
    )


def read_terminal(comparison: Path) -> str:
    """What `report` prints on a copy of the comparison, under the name it has in the checkout."""
    with tempfile.TemporaryDirectory() as scratch:
        copytree(ROOT / comparison, Path(scratch) / comparison)
        command = [sys.executable, "-m", "harness", "report", str(comparison)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": str(TERMINAL_COLUMNS), "NO_COLOR": "1"}
        ours, theirs = pty.openpty()  # tables are made to fit a terminal alone
        with (
            subprocess.Popen(command, cwd=scratch, env=environment, stdout=theirs) as process,
            os.fdopen(ours, "rb") as read,
        ):
            os.close(theirs)
            said = b""
            with contextlib.suppress(OSError):  # Linux's word for a terminal that nobody writes to any more
                while part := read.read1():
                    said += part
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
    return said.decode().replace("\r\n", "\n")


def wrap_as_a_terminal(text: str, columns: int) -> list[str]:
    """The lines of a text in a window of so many columns, broken at words."""
    lines = text.rstrip().splitlines()
    return [part for line in lines for part in textwrap.wrap(line, columns, drop_whitespace=False) or [""]]


def draw_terminal(command: str, text: str, image: Path) -> None:
    """A command line and what it printed, as a terminal shows them, as PNG."""
    lines = [f"$ {command}", "", *wrap_as_a_terminal(text, TERMINAL_COLUMNS)]
    size_inches = FONT_SIZE_POINTS / 72
    width = size_inches * (CHARACTER_WIDTH * max(map(len, lines)) + 2 * BORDER)
    height = size_inches * (LINE_HEIGHT * len(lines) + 2 * BORDER)
    with mpl.rc_context({"text.parse_math": False, "font.family": ["DejaVu Sans Mono"]}):
        figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
        FigureCanvasAgg(figure)
        for place, line in enumerate(lines):
            top = height - size_inches * (BORDER + LINE_HEIGHT * (place + 0.5))
            figure.text(size_inches * BORDER / width, top / height, line, va="center", size=FONT_SIZE_POINTS,
                        color=FAINT if place == 0 else TEXT)  # fmt: skip
        figure.savefig(image, dpi=TERMINAL_DPI, metadata={"Software": None})


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    render_page(ROOT / COMPARISON / "report.pdf", IMAGES / "report.png")
    draw_terminal(f"python -m harness report {COMPARISON}", read_terminal(COMPARISON), IMAGES / "terminal.png")
