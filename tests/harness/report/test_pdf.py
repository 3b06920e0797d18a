import os
import re
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pypdf import PdfReader

from harness.cli.app import main
from harness.formats import format_commit
from harness.report import pdf
from harness.report.pdf import INSTALL_LINE, Attachment, PdfContentError, render_pdf, start_renderer
from harness.report.render import render_html
from mainrun.record.errors import MachineError

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A &amp; B</title></head>'
SVG_OPEN = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30">'
SMALL = f"{HEAD}<body><h1>Loss 1.23 ± 0.04</h1>{SVG_OPEN}<title>curve</title><text y='20'>plot</text></svg>"
SVG_WITH_A_FILE = quote(f'{SVG_OPEN}<image href="file:///etc/hostname" width="9" height="9"/></svg>')


@pytest.fixture(scope="module")
def weasyprint() -> None:
    tried = subprocess.run([sys.executable, "-c", "import weasyprint"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"weasyprint cannot be imported: {tried.stderr.splitlines()[-1]}")


@pytest.fixture
def fake_weasyprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `__init__.py` of a package that the child imports instead of WeasyPrint."""
    package = tmp_path / "path" / "weasyprint"
    package.mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return package / "__init__.py"


def render(html: str, directory: Path) -> PdfReader:
    render_pdf(html, directory / "report.pdf", created=CREATED)
    return PdfReader(directory / "report.pdf")


@pytest.mark.usefixtures("weasyprint")
def test_text_title_and_dates_of_the_document_are_in_the_pdf(tmp_path: Path) -> None:
    reader = render(SMALL, tmp_path)
    text = reader.pages[0].extract_text()
    assert "Loss 1.23 ± 0.04" in text
    assert "plot" in text
    assert reader.metadata is not None
    assert reader.metadata.title == "A & B"
    assert reader.metadata.creation_date == CREATED
    assert reader.metadata.modification_date == CREATED


@pytest.mark.usefixtures("weasyprint")
def test_the_pdf_says_that_it_is_pdf_a_3u_and_is_tagged(tmp_path: Path) -> None:
    reader = render(SMALL, tmp_path)
    assert b'part="3"' in reader.root_object["/Metadata"].get_data()  # type: ignore[attr-defined]  # pypdf's base type
    assert b'conformance="U"' in reader.root_object["/Metadata"].get_data()  # type: ignore[attr-defined]  # as above
    assert {"/StructTreeRoot", "/OutputIntents", "/Lang"} <= set(reader.root_object)


@pytest.mark.usefixtures("weasyprint")
def test_attachments_keep_their_bytes_and_are_sorted_by_name(tmp_path: Path) -> None:
    stored = {"metrics.parquet": bytes(range(256)) * 9, "comparison.json": b'{"a": 1}'}
    for name, content in stored.items():
        (tmp_path / name).write_bytes(content)
    attachments = [Attachment(tmp_path / name, f"this is {name}") for name in stored]
    render_pdf(SMALL, tmp_path / "report.pdf", attachments=attachments, created=CREATED)
    reader = PdfReader(tmp_path / "report.pdf")
    assert {name: contents[0] for name, contents in reader.attachments.items()} == stored
    embedded = list(reader.attachment_list)
    assert [file.name for file in embedded] == ["comparison.json", "metrics.parquet"]
    assert [file.description for file in embedded] == ["this is comparison.json", "this is metrics.parquet"]
    assert [file.creation_date for file in embedded] == [CREATED, CREATED]
    assert [file.modification_date for file in embedded] == [CREATED, CREATED]


@pytest.mark.usefixtures("weasyprint")
def test_the_same_document_is_the_same_bytes_whatever_the_time_zone_of_created(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{}")
    attachments = [Attachment(tmp_path / "comparison.json", "the numbers")]
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=-7))).replace(microsecond=250)
    for name, created in (("first.pdf", CREATED), ("second.pdf", elsewhere)):
        render_pdf(SMALL, tmp_path / name, attachments=attachments, created=created)
        os.utime(tmp_path / "comparison.json", (0, 0))
    assert (tmp_path / "first.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()


@pytest.mark.usefixtures("weasyprint")
def test_an_escaped_title_is_shown_as_text(tmp_path: Path) -> None:
    reader = render(f"{HEAD}<p>Ask HN: &lt;script&gt;alert(1)&lt;/script&gt;", tmp_path)
    assert "Ask HN: <script>alert(1)</script>" in reader.pages[0].extract_text()


@pytest.mark.usefixtures("weasyprint")
def test_no_table_leaves_its_title_or_a_single_row_on_another_page(tmp_path: Path) -> None:
    style = (Path(__file__).parents[3] / "reports" / "templates" / "report.css").read_text(encoding="utf-8")
    tables = []
    for height_mm in range(190, 270, 4):
        rows = "".join(f"<tr><td>row {height_mm}.{row}</td></tr>" for row in range(9))
        table = f"<table><thead><tr><th>head</th></tr></thead><tbody>{rows}</tbody></table>"
        gap = f"<div style='break-before: page; height: {height_mm}mm'></div>"
        tables.append(f"{gap}<h3>title {height_mm}.</h3><p>note</p>{table}")
    page = f"{HEAD}<style>{style}</style><body class='page'><main>{''.join(tables)}</main>"
    texts = [page.extract_text() for page in render(page, tmp_path).pages]
    found = [{*re.findall(r"(?:row|title) (\d+\.\d?)", text)} for text in texts]
    for height_mm in range(190, 270, 4):
        [first] = [on for on in found if f"{height_mm}." in on]
        assert {f"{height_mm}.{row}" for row in range(3)} <= first
        [last] = [on for on in found if f"{height_mm}.8" in on]
        assert f"{height_mm}.7" in last
    assert any({name.partition(".")[0] for name in on} & {name.partition(".")[0] for name in after}
               for on, after in pairwise(found))  # fmt: skip


def test_a_short_hash_is_never_broken(tiny_document: dict[str, Any]) -> None:
    page = render_html(tiny_document, {})
    [commit] = {format_commit(arm["machine"]["commit"]) for arm in tiny_document["arms"]}
    assert f'<code class="short">{commit}</code>' in page
    assert not re.search(r'class="short">\w{16}', page)


@pytest.mark.usefixtures("weasyprint")
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('<img alt="x" src="file:///etc/hostname">', "file:///etc/hostname"),
        ('<img alt="x" src="http://127.0.0.1:9/x.png">', "http://127.0.0.1:9/x.png"),
        ('<img alt="x" src="figure.png">', "figure.png"),
        ('<link rel="attachment" href="file:///etc/passwd">', "file:///etc/passwd"),
        ('<a rel="attachment" href="file:///etc/passwd">x</a>', "file:///etc/passwd"),
        (f'<img alt="x" src="data:image/svg+xml,{SVG_WITH_A_FILE}">', 'Error fetching "file:///etc/hostname"'),
        ('<img alt="x" src="data:image/png;base64,AAAA">', "Failed to load image"),
        ('<p style="colr: red">x', "colr"),
        ("<p>\ud800", "surrogates not allowed"),
    ],
)
def test_a_document_that_is_not_whole_is_refused_and_the_old_file_stays(body: str, named: str, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    out.write_bytes(b"old")
    with pytest.raises(PdfContentError) as refused:
        render_pdf(HEAD + body, out, created=CREATED)
    assert named in str(refused.value)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.usefixtures("weasyprint")
def test_characters_without_a_glyph_are_named_in_text_and_pictures_and_cost_no_pdf(tmp_path: Path) -> None:
    """With a font for them they are shown, so that only those are looked at that no usual font has."""
    svg = f"{SVG_OPEN}<text y='20'>plot \U0001fafe</text></svg>".replace("'", '"')
    picture = f"<img alt='x' src='data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}'>"
    text = render(f"{HEAD}<p>arm \U0001faff\u0e5c مرحبا 中文<p>{picture}", tmp_path).pages[0].extract_text()
    assert "arm [U+1FAFF][U+0E5C]" in text
    assert "plot [U+1FAFE]" in text


@pytest.mark.usefixtures("weasyprint")
def test_a_refused_document_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(PdfContentError):
        render_pdf(f'{HEAD}<img alt="x" src="file:///etc/hostname">', tmp_path / "report.pdf", created=CREATED)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("weasyprint")
def test_a_long_complaint_is_cut_and_a_repeated_one_is_said_once(tmp_path: Path) -> None:
    picture = f"<img alt='x' src='data:image/png,{'A' * 5_000}'>"
    with pytest.raises(PdfContentError) as refused:
        render(f"{HEAD}{picture}<p style='colr: red'>x<p style='colr: red'>y", tmp_path)
    assert "AAAA" in str(refused.value)
    assert str(refused.value).count("colr") == 1
    assert len(str(refused.value)) < 1_000


@pytest.mark.usefixtures("weasyprint")
def test_of_many_complaints_twenty_are_said_and_the_others_counted(tmp_path: Path) -> None:
    rules = "".join(f"<p style='p{number}: x'>x" for number in range(33))
    with pytest.raises(PdfContentError) as refused:
        render(HEAD + rules, tmp_path)
    assert len(str(refused.value).splitlines()) == 22
    assert str(refused.value).endswith("and 13 more")


@pytest.mark.usefixtures("weasyprint")
def test_a_machine_without_a_font_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no-fonts.conf").write_text("<fontconfig></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "no-fonts.conf"))
    with pytest.raises(MachineError, match="font") as lacking:
        render(SMALL, tmp_path)
    assert INSTALL_LINE in str(lacking.value)


def test_a_missing_library_is_named_with_its_install_line(fake_weasyprint: Path, tmp_path: Path) -> None:
    fake_weasyprint.write_text("print('installation steps')\nraise OSError('cannot load library libpango-1.0-0')")
    with pytest.raises(MachineError) as lacking:
        render(SMALL, tmp_path)
    assert str(lacking.value) == (
        f"WeasyPrint cannot be loaded: cannot load library libpango-1.0-0; on Debian: {INSTALL_LINE}"
    )
    assert not (tmp_path / "report.pdf").exists()


def test_a_renderer_without_harfbuzz_subset_is_told_what_to_install(fake_weasyprint: Path, tmp_path: Path) -> None:
    (fake_weasyprint.parent / "urls.py").write_text(
        "class FatalURLFetchingError(BaseException): pass\nclass URLFetcher:\n    def __init__(self, **_): pass\n"
    )
    fake_weasyprint.write_text(
        "import logging\n"
        "class HTML:\n"
        "    def __init__(self, **_): self.metadata = self\n"
        "    def render(self, **_): return self\n"
        "    def write_pdf(self, **_):\n"
        "        logging.getLogger('weasyprint').warning('Using fontTools instead of HarfBuzz-Subset')\n"
        "        return b'%PDF'\n"
    )
    with pytest.raises(MachineError, match="HarfBuzz-Subset") as lacking:
        render(SMALL, tmp_path)
    assert INSTALL_LINE in str(lacking.value)


@pytest.mark.parametrize(("number", "cause"), [(signal.SIGSEGV, INSTALL_LINE), (signal.SIGKILL, "memory")])
def test_a_killed_renderer_is_a_machine_error_that_names_the_signal(
    number: signal.Signals, cause: str, fake_weasyprint: Path, tmp_path: Path
) -> None:
    fake_weasyprint.write_text(f"import os; os.kill(os.getpid(), {int(number)})")
    with pytest.raises(MachineError, match=number.name) as killed:
        render(SMALL * 10_000, tmp_path)  # more than a pipe holds, for a child that reads nothing
    assert cause in str(killed.value)


def test_a_renderer_that_hangs_is_stopped(
    fake_weasyprint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_weasyprint.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(pdf, "TIMEOUT_S", 0.5)
    with pytest.raises(MachineError, match=r"not rendered within 0\.5 s"):
        render(SMALL, tmp_path)


def test_a_crash_of_the_renderer_is_our_bug_and_shows_its_traceback(fake_weasyprint: Path, tmp_path: Path) -> None:
    fake_weasyprint.write_text("raise ZeroDivisionError('in the child')")
    with pytest.raises(PdfContentError, match="ZeroDivisionError: in the child"):
        render(SMALL, tmp_path)


@pytest.mark.usefixtures("weasyprint")
def test_an_attachment_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    attachments = [Attachment(tmp_path / "gone.json", "the numbers")]
    with pytest.raises(MachineError, match=r"gone\.json: No such file"):
        render_pdf(SMALL, tmp_path / "report.pdf", attachments=attachments, created=CREATED)


def test_a_place_that_cannot_be_written_is_named_before_anything_is_rendered(
    fake_weasyprint: Path, tmp_path: Path
) -> None:
    fake_weasyprint.write_text("raise AssertionError('started')")
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"Cannot write .*report\.pdf: Not a directory"):
        render(SMALL, tmp_path / "file")


@pytest.mark.usefixtures("weasyprint")
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "report.pdf").write_bytes(b"old")
    with pytest.raises(MachineError, match="No space left on device"):
        render(SMALL, tmp_path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("report.pdf", b"old")]


@pytest.mark.usefixtures("weasyprint")
def test_a_renderer_started_early_gives_the_same_bytes_and_ends(tmp_path: Path) -> None:
    render_pdf(SMALL, tmp_path / "late.pdf", created=CREATED)
    with start_renderer() as renderer:
        render_pdf(SMALL, tmp_path / "early.pdf", created=CREATED, renderer=renderer)
    assert renderer.poll() == 0
    assert (tmp_path / "early.pdf").read_bytes() == (tmp_path / "late.pdf").read_bytes()


@pytest.mark.parametrize("error", [MachineError("no room"), KeyboardInterrupt()])
def test_no_renderer_is_left_where_something_fails_before_it_is_asked(
    error: BaseException, fake_weasyprint: Path
) -> None:
    fake_weasyprint.write_text("import time; time.sleep(60)")
    with pytest.raises(type(error)), start_renderer() as renderer:
        assert renderer.poll() is None
        raise error
    assert renderer.poll() == -signal.SIGKILL
    assert renderer.stdin is not None and renderer.stdin.closed


def test_a_report_of_nothing_leaves_no_renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    @contextmanager
    def start() -> Iterator[pdf.Renderer]:
        with start_renderer() as renderer:
            started.append(renderer)
            yield renderer

    monkeypatch.setattr(pdf, "start_renderer", start)
    assert main(["report", str(tmp_path / "absent")]) == 4
    assert [renderer.poll() for renderer in started] == [-signal.SIGKILL]


def test_importing_the_module_imports_nothing_heavy() -> None:
    code = "import sys, harness.report.pdf; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(pdf.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=root)
    loaded = set(done.stdout.split())
    assert "harness" in loaded
    foreign = {name for name in loaded - set(sys.stdlib_module_names) if not name.startswith("_")}
    assert foreign <= {"harness", "mainrun", "sitecustomize", "usercustomize", "distutils"}
