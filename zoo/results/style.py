"""The one style of our plots, and matplotlib figures as SVG inside a page that may be dark."""

from __future__ import annotations

import hashlib
import io
import re
from html import escape
from typing import Any

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
    "svg.hashsalt": "zoo",  # the same ids each time
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
# Families of fonts, since those of the page hold, and all but two decimals.
_SHORTER = re.compile(r"font-family: [^;]+; |(?<=\.\d\d)\d+")
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


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
        """Return the chart as an SVG element for a page; its colours are variables of the page.

        Args:
            title: Read out in place of the chart.
        """
        written = io.StringIO()
        self.figure.savefig(written, format="svg", metadata=_NO_METADATA)
        head, _, body = written.getvalue().partition("<svg ")[2].partition(">")
        box = re.search(r'viewBox="[^"]+"', head)
        assert box is not None
        body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # would hold for the page
        text = _SHORTER.sub("", f"<title>{escape(title)}</title>{body}")
        for name, tooltip in self._tooltips.items():
            begin = f'<g id="{name}">'
            text = text.replace(begin, f"{begin}<title>{escape(tooltip)}</title>", 1)
        for colour, name in _VARIABLES.items():
            text = text.replace(colour, f"var(--{name})")
        # Line breaks, and ids that nothing refers to, are a good part of matplotlib's text.
        referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
        text = re.sub(
            r' id="([^"]+)"', lambda found: found[0] if found[1] in referred else "", text
        )
        text = re.sub(r"\s*\n\s*", " ", text)
        # Ids of its own: what lies in a closed part of the page cannot be referred to elsewhere.
        key = hashlib.sha256(text.encode()).hexdigest()[:8]
        text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>c{key}-", text)
        xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {box[0]} {xlink} role="img" class="chart">{text}'
