"""Every format that can be read. A new one is a file with an `IMPORTER`, and a line here."""

from pathlib import Path

from harness.sources import event_files, log, table
from harness.sources.source_log import Importer

IMPORTERS = {importer.kind: importer for importer in (event_files.IMPORTER, log.IMPORTER, table.IMPORTER)}
"""By kind, in the order in which they are asked; content that none knows is read as a log, which says what it lacks."""


def find_importer(path: Path) -> Importer:
    """The importer of a file: by its content, else by its name; a log's for one that cannot be read, which says so."""
    try:
        return claim(path) or _find_by_name(path)
    except OSError:
        return log.IMPORTER


def claim(path: Path) -> Importer | None:
    """The importer that knows the content of a file or a folder. `OSError` where it cannot be read."""
    importers = IMPORTERS.values() if path.is_file() else (event_files.IMPORTER,)
    return next((importer for importer in importers if importer.claims(path)), None)


def _find_by_name(path: Path) -> Importer:
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    named = (importer for importer in IMPORTERS.values() if not importer.suffixes.isdisjoint(suffixes))
    return next(named, log.IMPORTER)
