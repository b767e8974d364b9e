"""The one style of our plots, and matplotlib figures as SVG inside a page that may be dark."""

from __future__ import annotations

import io
import re
from copy import deepcopy
from typing import Any
from xml.etree import ElementTree

from matplotlib.artist import Artist
from matplotlib.figure import Figure

# Light colours of `report/assets/style.css`; in a page they become its variables.
INK, MUTED, LINE, CARD, ACCENT = "#1c222d", "#5b6472", "#dfe2e6", "#ffffff", "#1d4ed8"
NORMAL, DEFECT = "#7c8ba1", "#d1500f"
COLOURS = ("#2563eb", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#4d7c0f", "#be123c", "#475569")
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", CARD: "card", ACCENT: "accent"}
_VARIABLES |= {NORMAL: "normal", DEFECT: "defect"}
_VARIABLES |= {colour: f"c{index}" for index, colour in enumerate(COLOURS)}
RC: Any = {  # newer stubs of matplotlib have a type for its keys, older ones have not
    "svg.fonttype": "none",  # text stays text, in the font of the page
    "font.size": 11,
    "axes.labelsize": 11,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    **{f"{axis}tick.labelcolor": MUTED for axis in "xy"},
    **{f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")},
    **{"xtick.bottom": False, "ytick.left": False, "xtick.minor.bottom": False},
    **{"axes.grid": True, "axes.axisbelow": True, "grid.color": LINE, "grid.linewidth": 1},
}
WIDTH = 380  # of a chart in CSS pixels, about that of a phone
_DPI = 72  # of SVG: a point is a pixel
_SVG = "{http://www.w3.org/2000/svg}"
# Families of fonts, since those of the page hold, and all but two decimals.
_SHORTER = re.compile(r"font-family: [^;]+; |(?<=\.\d\d)\d+")
_HREF = "{http://www.w3.org/1999/xlink}href"


class Chart:
    """A figure with one pair of axes that becomes SVG of a page; made within `rc_context(RC)`.

    Args:
        height: In CSS pixels, as all lengths.
        left: From the left edge to the axes, and so on.
        right: Likewise.
        top: Likewise.
        bottom: Likewise.
    """

    def __init__(
        self, height: float, left: float = 14, right: float = 14, top: float = 6, bottom: float = 38
    ) -> None:
        size = (WIDTH / _DPI, height / _DPI)
        self.figure = Figure(figsize=size, dpi=_DPI, facecolor="none")
        width, tall = (WIDTH - left - right) / WIDTH, (height - top - bottom) / height
        box = (left / WIDTH, bottom / height, width, tall)
        self.axes = self.figure.add_axes(box, facecolor="none")
        self._tooltips: dict[str, str] = {}

    def tooltip(self, artist: Artist, text: str) -> None:
        """Give a part of the chart a text that is shown while the mouse is over it."""
        name = f"tooltip{len(self._tooltips)}"
        artist.set_gid(name)
        self._tooltips[name] = text

    def svg(self, title: str) -> str:
        """Return the chart as an SVG element that refers to nothing and has no ids.

        Args:
            title: Read out in place of the chart.
        """
        written = io.StringIO()
        self.figure.savefig(written, format="svg", metadata={"Date": None})
        root = ElementTree.fromstring(written.getvalue())
        parts = {part.get("id"): part for part in root.iter()}
        for name, text in self._tooltips.items():
            parts[name].insert(0, _title(text))
        for parent in list(root.iter()):
            for index, child in reversed(list(enumerate(parent))):
                if child.tag in (f"{_SVG}defs", f"{_SVG}metadata"):
                    parent.remove(child)
                elif child.tag == f"{_SVG}use":
                    parent[index] = _inlined(child, parts)
        for part in root.iter():
            part.tag = part.tag.removeprefix(_SVG)
            part.text, part.tail = (part.text or "").strip(), ""
            part.attrib = {
                name: _SHORTER.sub("", value)
                for name, value in part.attrib.items()
                if name not in ("id", "clip-path") and not value.startswith("rotate(-0")
            }
        root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "class": "chart"}
        root.insert(0, _title(title))
        text = ElementTree.tostring(root, encoding="unicode")
        for colour, name in _VARIABLES.items():
            text = text.replace(colour, f"var(--{name})")
        return text


def _title(text: str) -> ElementTree.Element:
    title = ElementTree.Element("title")
    title.text = text
    return title


def _inlined(use: ElementTree.Element, parts: dict[str | None, ElementTree.Element]) -> Any:
    """Return a copy of what a `use` element shows, where it shows it."""
    shown = deepcopy(parts[use.attrib[_HREF].removeprefix("#")])
    place = f"translate({use.get('x', '0')} {use.get('y', '0')})"
    shown.attrib |= {"transform": place, "style": use.get("style", shown.get("style", ""))}
    return shown
