"""Characters that no font here can draw: found by what WeasyPrint says of them, and shown by their code points."""

import base64
import re
from collections.abc import Collection, Iterable

_MISSING = re.compile(r"\.notdef glyph rendered .*\(U\+([0-9A-F]+)\)$", re.DOTALL)
_PICTURE = re.compile("(data:image/svg\\+xml;base64,)([A-Za-z0-9+/=]+)")


def find_missing_characters(complaints: Iterable[str]) -> set[str]:
    """The characters that WeasyPrint complained of having no glyph for."""
    return {chr(int(found[1], 16)) for found in map(_MISSING.match, complaints) if found}


def name_characters(html: str, characters: Collection[str]) -> str:
    """The page with each of `characters` as `[U+4E2D]`, also in the SVG pictures that stand in it in base64."""
    names = {ord(character): f"[U+{ord(character):04X}]" for character in characters}

    def name_in_picture(picture: re.Match[str]) -> str:
        svg = base64.b64decode(picture[2]).decode().translate(names)
        return picture[1] + base64.b64encode(svg.encode()).decode()

    return _PICTURE.sub(name_in_picture, html.translate(names))
