"""What a figure says where a reader points at it: SVG titles, which every browser shows, without a script."""

from collections.abc import Sequence
from html import escape

from mainrun.record.inert import make_inert

RADIUS = 4


def add_spots(svg: str, spots: Sequence[tuple[float, float, str]]) -> str:
    """The drawing with an unseen circle over each place, in its own units from the top left, that says its text."""
    circles = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"><title>{escape(make_inert(text))}</title></circle>\n'
        for x, y, text in spots
    )
    before, end, after = svg.rpartition("</svg>")
    return f'{before}<g class="spots" fill="none" pointer-events="all">\n{circles}</g>\n{end}{after}'
