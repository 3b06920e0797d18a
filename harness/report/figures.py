"""The figures of a comparison as SVG files: the only module that imports matplotlib."""

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.report.curves import Curves, build_curves, show_labels
from harness.report.drawing import BOTTOM_INCHES, HALF_SIZE_INCHES, LEFT_INCHES, RIGHT_INCHES, SIZE_INCHES, TOP_INCHES
from harness.report.figure_list import FIGURES, FigureKind
from harness.report.hover import add_spots
from harness.store.measurements import Row
from mainrun.record.errors import MachineError
from mainrun.record.files import make_folder, save_text

_backend = os.environ.pop("MPLBACKEND", None)  # a notebook's is not one that every process can import
try:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except Exception as error:  # it reads the user's settings, and writes a list of fonts, as it is imported
    what = (
        f"{type(error).__name__}: {error}. Look for a damaged matplotlibrc; MPLCONFIGDIR names a folder for its files"
    )
    raise MachineError(f"matplotlib cannot be loaded: {what}.") from error
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend

FOLDER = "figures"
POINTS_PER_INCH = 72
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mainrun",
    "text.parse_math": False,  # a name with dollar signs is no formula
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.xmargin": 0.02,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_DEFAULTS = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
"""Of matplotlib itself, whatever a matplotlibrc of the user's says."""


def save_figures(folder: Path, document: dict[str, Any], rows: Sequence[Row]) -> None:
    """Draws all figures that have something to show into `folder`/figures."""
    curves = build_curves(show_labels(document), rows)
    make_folder(folder / FOLDER)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcParams.update(_DEFAULTS | _STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the page's reader has fonts of its own
        for name, kind in FIGURES.items():
            path = folder / FOLDER / f"{name}.svg"
            if name in document["figures"]:
                save_text(path, _draw(kind, curves))
            else:
                path.unlink(missing_ok=True)


def _draw(kind: FigureKind, curves: Curves) -> str:
    width, height = HALF_SIZE_INCHES if kind.is_half_wide else SIZE_INCHES
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=LEFT_INCHES / width, right=1 - RIGHT_INCHES / width,
                           top=1 - TOP_INCHES / height, bottom=BOTTOM_INCHES / height)  # fmt: skip
    axes = figure.subplots()
    spots = kind.draw(curves, axes)
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    scale, height = POINTS_PER_INCH / figure.dpi, POINTS_PER_INCH * figure.get_figheight()
    places = axes.transData.transform([(spot.x, spot.y) for spot in spots]) if spots else ()
    shown = [
        (x, y, spot.text) for (x, y), spot in zip(places, spots, strict=True) if axes.bbox.padded(1).contains(x, y)
    ]
    return add_spots(content.getvalue(), [(scale * x, height - scale * y, text) for x, y, text in shown])
