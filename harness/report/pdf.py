"""HTML to PDF, in a child process that can reach nothing but the document itself.

The child is this module run by its place: the request comes as JSON on stdin, the PDF goes out on
stdout, or the reason why there is none, told by the exit code. WeasyPrint kills its process where no font is
installed and keeps its memory, so the parent never imports it.
"""

import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.processes import build_command, name_signal
from harness.report.glyphs import find_missing_characters, name_characters
from mainrun.record.errors import MachineError
from mainrun.record.files import atomic_write

TIMEOUT_S = 120
INSTALL_LINE = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"
_INSTALL_HINT = f"on Debian: {INSTALL_LINE}"

_EXIT_MACHINE = MachineError.exit_code
_EXIT_CONTENT = 65
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MAX_COMPLAINTS = 20
_MAX_COMPLAINT_CHARS = 300

# Level U keeps attachments, metadata and searchable text. The tags are added without claiming level A, which asks
# for more than WeasyPrint guarantees.
_PDF_OPTIONS = {"pdf_variant": "pdf/a-3u", "pdf_tags": True}


class PdfContentError(RuntimeError):
    """The document cannot be rendered faithfully, by a bug of ours: forbidden address or bad CSS."""


@dataclass(frozen=True)
class Attachment:
    """A file embedded in the PDF under its own file name."""

    path: Path
    description: str


Renderer = subprocess.Popen[bytes]
"""A child process that waits for one document."""


@contextmanager
def start_renderer() -> Iterator[Renderer]:
    """Starts the child that renders one PDF; it loads its libraries while the caller goes on, and ends with the block.

    Raises MachineError where it cannot be started.
    """
    try:
        child = subprocess.Popen(
            build_command("harness.report.pdf"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise MachineError(f"cannot start the PDF renderer {sys.executable}: {error.strerror}") from error
    with child:
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def start_renderer_early() -> Iterator[Renderer | None]:
    """The same for `render_pdf` later on; None where it cannot be started: that one tries again, and says why."""
    with ExitStack() as stack:
        try:
            renderer = stack.enter_context(start_renderer())
        except MachineError:
            renderer = None
        yield renderer


def render_pdf(
    html: str,
    out: Path,
    *,
    attachments: Sequence[Attachment] = (),
    created: datetime,
    renderer: Renderer | None = None,
) -> None:
    """Render `html` to the file `out`: PDF/A-3u, tagged, the same bytes for the same input on one machine.

    Everything is inline in `html`: only `data:` addresses are read. `<html>` has a `lang` and `<img>` an `alt`.
    `created` is aware; the document's and the attachments' dates are this one. Attachments have distinct names.
    `renderer` is a child that was started before and has rendered nothing yet; without one, one is started.

    Raises MachineError where a library, a font, room or permission is missing, and PdfContentError for anything
    that WeasyPrint refuses or warns of. After an error `out` is as it was before.
    """
    assert created.tzinfo is not None, "created needs a time zone"
    assert len({attachment.path.name for attachment in attachments}) == len(attachments), "two attachments, one name"
    created = created.astimezone(UTC).replace(microsecond=0)
    request = {
        "html": html,
        "created": created.isoformat(),
        "attachments": [[str(attachment.path.absolute()), attachment.description] for attachment in attachments],
    }
    with atomic_write(out) as stream:
        stream.write(_ask(renderer, request))


def check_renderer() -> None:
    """Raises MachineError where this machine lacks a library or a font that the PDF needs."""
    request = {"html": "<html lang='en'><title>check</title><p>check", "created": _EPOCH.isoformat(), "attachments": []}
    _ask(None, request)


def _ask(renderer: Renderer | None, request: dict[str, Any]) -> bytes:
    """The PDF a child makes of a request."""
    with start_renderer() if renderer is None else nullcontext(renderer) as child:
        try:
            answer, errors = child.communicate(json.dumps(request).encode(), TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise MachineError(
                f"the PDF was not rendered within {TIMEOUT_S} s; try again on an idle machine"
            ) from error
    if child.returncode == 0:
        return answer
    if child.returncode < 0:
        name = name_signal(-child.returncode)
        cause = "too little memory" if name == "SIGKILL" else f"no font installed; {_INSTALL_HINT}"
        raise MachineError(f"the PDF renderer was killed by {name}, most likely: {cause}")
    if child.returncode == _EXIT_MACHINE:
        raise MachineError(answer.decode())
    if child.returncode == _EXIT_CONTENT:
        raise PdfContentError(answer.decode())
    raise PdfContentError(f"the PDF renderer crashed:\n{errors.decode(errors='replace')}")


class _Complaints(logging.Handler):
    """Warnings and errors, and the debug records that carry the exception behind one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.messages.append(record.getMessage())
        elif record.exc_info is not None:
            self.messages.append(f"reason: {record.exc_info[1]!r}")

    def format_all(self) -> str:
        lines = list(dict.fromkeys(message[:_MAX_COMPLAINT_CHARS] for message in self.messages))
        if len(lines) > _MAX_COMPLAINTS:
            lines[_MAX_COMPLAINTS:] = [f"and {len(lines) - _MAX_COMPLAINTS} more"]
        return "\n".join(lines)


def _load_weasyprint() -> None:
    try:
        import weasyprint.urls
    except (ImportError, OSError) as error:
        raise MachineError(f"WeasyPrint cannot be loaded: {error}; {_INSTALL_HINT}") from error
    assert weasyprint


def _render(request: dict[str, Any]) -> bytes:
    """The PDF; characters that no font here has are shown by their code points, so that a name never costs it."""
    complaints = _Complaints()
    logger = logging.getLogger("weasyprint")
    logger.addHandler(complaints)
    logger.setLevel(logging.DEBUG)
    pdf = _render_once(request, complaints)
    missing = find_missing_characters(complaints.messages)
    if missing:
        complaints.messages.clear()
        pdf = _render_once({**request, "html": name_characters(request["html"], missing)}, complaints)
    if pdf is not None and not complaints.messages:
        return pdf
    if any("HarfBuzz" in message for message in complaints.messages):
        raise MachineError(f"WeasyPrint lacks a library: {complaints.format_all()}\n{_INSTALL_HINT}")
    raise PdfContentError(f"WeasyPrint does not accept the document:\n{complaints.format_all()}")


def _render_once(request: dict[str, Any], complaints: _Complaints) -> bytes | None:
    import weasyprint
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    created = datetime.fromisoformat(request["created"])
    os.environ["SOURCE_DATE_EPOCH"] = str(int(created.timestamp()))
    attachments = [
        weasyprint.Attachment(
            string=_read_attachment(Path(path)),
            name=Path(path).name,
            description=description,
            created=created,
            modified=created,
            relationship="Data",
        )
        for path, description in sorted(request["attachments"], key=lambda entry: Path(entry[0]).name)
    ]  # a PDF name tree is sorted, and WeasyPrint keeps the order it is given
    try:
        fetcher = URLFetcher(allowed_protocols={"data"}, fail_on_errors=True)
        document = weasyprint.HTML(string=request["html"], url_fetcher=fetcher).render(**_PDF_OPTIONS)
        document.metadata.created = document.metadata.modified = request["created"]
        return bytes(document.write_pdf(attachments=attachments, **_PDF_OPTIONS))
    except FatalURLFetchingError as error:
        complaints.messages.append(f"{error}: {error.__cause__}")
        return None


def _read_attachment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MachineError(f"cannot read the attachment {path}: {error.strerror}") from error


def _main() -> int:
    if sys.argv[1:] == ["--check"]:
        try:
            check_renderer()
        except MachineError as error:
            sys.stderr.write(f"{error}\n")
            return _EXIT_MACHINE
        return 0
    # WeasyPrint prints on stdout when a library is missing: that belongs to stderr, not into the answer.
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        gc.disable()  # one document fits into memory, and looking for cycles in it takes a twentieth of the time
        try:
            _load_weasyprint()  # before the request is there: the parent may still be busy making it
            answer.write(_render(json.load(sys.stdin)))
        except (MachineError, PdfContentError) as error:
            answer.write(str(error).encode())
            return _EXIT_MACHINE if isinstance(error, MachineError) else _EXIT_CONTENT
    return 0


if __name__ == "__main__":
    sys.exit(_main())
