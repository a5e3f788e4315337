"""From a matplotlib figure to an SVG element of the page: literal text, no style that a content-security policy would block, colours that follow the page."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from markupsafe import Markup
from matplotlib.figure import Figure

from oncoraft.report.text import visible

HIGH, LOW, GREY = "#0072B2", "#D55E00", "#7f7f7f"  # Okabe and Ito: safe for colour-blind readers, and legible on white and on black
INK = "#010203"  # stands for the colour of the page's text, light or dark
LINES = ("-", "--", ":", "-.")
STYLE: Any = {
    "svg.hashsalt": "oncoraft",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": "none",
} | dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK)
# Once for the process: matplotlib reads some when a text is made, others when it is drawn. Nothing else of this process draws.
mpl.rcParams.update(STYLE)

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
FONTS = "system-ui, sans-serif"
REFERENCE = re.compile(r"url\(#([^)]+)\)")
HREFS = ("href", f"{{{XLINK}}}href")


def _attributes(style: str) -> dict[str, str]:
    """A style attribute as presentation attributes, which a policy against inline style lets pass."""
    pairs = (part.partition(":") for part in style.split(";"))
    found = {name.strip(): value.strip() for name, _, value in pairs if name.strip() not in {"", "font-family"}}
    return {name: "currentColor" if value == INK else value for name, value in found.items()}


def _cleaned(root: ElementTree.Element, alternative: str) -> None:
    """Keep what draws: no metadata, no style sheet, no inline style, ids unique on the page, one description for a reader who cannot see."""
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag.rpartition("}")[2] in {"metadata", "style", "script"}]:
            parent.remove(child)
    for one in root.iter():
        for name, value in _attributes(one.attrib.pop("style", "")).items():
            one.set(name, value)
    used = {match[1] for one in root.iter() for value in one.attrib.values() for match in REFERENCE.finditer(value)}
    used |= {one.attrib[name][1:] for one in root.iter() for name in HREFS if name in one.attrib}
    own = hashlib.sha256(ElementTree.tostring(root)).hexdigest()[:8]
    for one in root.iter():
        for name, value in list(one.attrib.items()):
            if name == "id" and value not in used:
                del one.attrib[name]
            elif name == "id":
                one.set(name, f"{own}-{value}")
            elif name in HREFS:
                one.set(name, f"#{own}-{value[1:]}")
            else:
                one.set(name, REFERENCE.sub(rf"url(#{own}-\1)", value))
    root.attrib |= {
        "role": "img",
        "aria-label": visible(alternative),
        "stroke-linejoin": "round",
        "font-family": FONTS,
        "fill": "currentColor",
    }


def svg(figure: Figure, alternative: str) -> Markup:
    """A figure as an SVG element, the same bytes every time. The one place of the report that vouches for markup.

    Args:
        figure: drawn, and closed here.
        alternative: what it shows, numbers included, for readers who cannot see it.
    """
    stream = io.StringIO()
    with warnings.catch_warnings():
        # The reader's own fonts draw the text; that the font used for measuring lacks a letter does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = stream.getvalue()
    for prefix, space in (("", SVG), ("xlink", XLINK)):
        ElementTree.register_namespace(prefix, space)
    root = ElementTree.fromstring(visible(text[text.index("<svg") :]))
    _cleaned(root, alternative)
    return Markup(ElementTree.tostring(root, encoding="unicode"))
