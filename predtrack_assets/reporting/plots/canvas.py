"""What pictures are drawn on: one palette, panels under a title, a small PNG at the end.

Every picture is a Picture: a PNG, or a sentence where there is too little to draw. The same
pictures serve asset metadata, pages and reports.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INK, MUTED, RULE, PAPER = "#26313a", "#7b8790", "#d9d7d0", "#fbfaf6"
COLOURS = ("#2f6f9f", "#c8742b", "#3b8f7a", "#8a5a8f", "#a4485a", "#7d7a3c")
DPI = 110
TINTS = (0.13, 0.22, 0.35, 0.5, 0.75, 1.0)  # of each colour over the paper, in a PNG
PANEL = (2.35, 2.2)  # inches
WIDEST = 3  # panels in a row


@dataclass(frozen=True)
class Picture:
    """A PNG with its text alternative, or the text alone where nothing could be drawn."""

    alt: str
    png: bytes | None = None

    @property
    def markdown(self) -> str:
        """An image that holds its own data, or the sentence."""
        if self.png is None:
            return self.alt
        return f"![{self.alt}](data:image/png;base64,{base64.b64encode(self.png).decode()})"


@dataclass
class Drawing:
    """A figure being drawn, then the picture of it."""

    figure: Any
    axes: list[Any]
    alt: str
    result: Picture = field(init=False)


def nothing(why: str) -> Picture:
    """A sentence in the place of a picture."""
    return Picture(f"Nothing to draw yet: {why}.")


@contextmanager
def drawing(
    panels: int, alt: str, width: float = PANEL[0], height: float = PANEL[1], columns: int = WIDEST
) -> Iterator[Drawing]:
    """A figure of so many panels under its title, `alt`, without pyplot and so without state;
    rendered at the end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(panels, columns)
    down = -(-panels // across)
    tall = height * down + 0.4
    figure = Figure((width * across, tall), DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    figure.set_layout_engine(
        "constrained", h_pad=0.06, w_pad=0.06, rect=(0, 0.16 / tall, 1, 1 - 0.4 / tall)
    )
    figure.text(0.01, 1 - 0.08 / tall, alt, fontsize=9, color=INK, va="top")
    axes = [figure.add_subplot(down, across, i + 1) for i in range(panels)]
    for axis in axes:
        axis.set_facecolor(PAPER)
        axis.tick_params(labelsize=7, colors=MUTED, length=2, width=0.6)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.spines["bottom"].set_color(RULE)
    picture = Drawing(figure, axes, alt)
    yield picture
    picture.result = Picture(alt, _png(figure))


def _png(figure: Any) -> bytes:
    """The figure in the nearest tints of the palette, a third of the bytes."""
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(np.uint32)
    colours, place = np.unique(pixels @ np.array([65536, 256, 1], np.uint32), return_inverse=True)
    found = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int64)
    tints = _tints()
    nearest = np.square(found[:, None] - tints[None]).sum(axis=2).argmin(axis=1).astype(np.uint8)
    image = Image.frombytes("P", pixels.shape[1::-1], nearest[place].tobytes())
    image.putpalette(tints.astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def _tints() -> NDArray[np.int64]:
    """The paper and every colour over it, RGB (N, 3).

    A palette chosen for each figure gives a rare colour away, and what is rare is the signal.
    """
    rgb = np.array([[*bytes.fromhex(c[1:])] for c in (PAPER, INK, MUTED, RULE, *COLOURS)])
    share = np.array(TINTS)[:, None, None]
    tinted = rgb[0] + share * (rgb[1:] - rgb[0])
    return np.concatenate([rgb[:1], np.rint(tinted).astype(np.int64).reshape(-1, 3)])


def name_axes(picture: Drawing, x: str, y: str = "") -> None:
    """Names of the axes that all panels share, beneath each column and beside each row."""
    lowest = {axis.get_subplotspec().colspan.start: axis for axis in picture.axes}
    for axis in lowest.values():
        axis.set_xlabel(x, fontsize=7, color=MUTED)
    for axis in picture.axes:
        if y and axis.get_subplotspec().is_first_col():
            axis.set_ylabel(y, fontsize=7, color=MUTED)


def share_limits(picture: Drawing, lows: Sequence[float], highs: Sequence[float]) -> None:
    """The same x scale on every panel, so that panels compare: from the lowest to the highest."""
    low, high = np.nanmin(lows), np.nanmax(highs)
    margin = 0.04 * max(high - low, 1e-9)
    for axis in picture.axes:
        axis.set_xlim(low - margin, high + margin)


def set_title(axis: Any, title: str, note: str) -> None:
    """What comes after the title's first " · " begins the note: a long title would be cut off."""
    title, *rest = title.split(" · ")
    note = " · ".join([*rest, note] if note else rest)
    axis.set_title(title, loc="left", fontsize=8, color=INK, pad=12 if note else 4)
    if note:
        axis.annotate(
            note, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points",
            fontsize=6.5, color=MUTED, annotation_clip=False,
        )  # fmt: skip


def set_footer(picture: Drawing, text: str) -> None:
    picture.figure.text(0.01, 0.008, text, fontsize=6.5, color=MUTED)
