"""One style for every figure, and the pass that leaves drawing and words and nothing else."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from lxml import etree
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from leap_eval.findings.words import say

SVG = "http://www.w3.org/2000/svg"
# The page's style knows these colours by their code, and lightens them in the dark.
INK, GREY, FAINT, PAPER = "#1a1f24", "#59636e", "#d5dae0", "#ffffff"
BLUE, RUST, GREEN, PURPLE = "#1f5a94", "#a8481a", "#24693f", "#743a88"
SHADES = ("#eaf1f8", "#c9dcee", "#9cc0e0", "#5f97c9", "#1f5a94", "#123a63")
STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "leap-eval", "font.family": "DejaVu Sans",
    "font.size": 11.5, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.edgecolor": GREY, "hatch.color": GREY, "hatch.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "path.simplify": False,
}  # fmt: skip
KEPT = {
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity",
    "font-size", "font-weight", "text-anchor", "fill-opacity", "font-style",
}  # fmt: skip
HOLDER = re.compile(r"url\(#([^)]+)\)")


WIDTH = 400  # one width for every figure: legible on a phone, and two stand side by side elsewhere
SMALL = 10
FOOT = 16  # kept free under every drawing for the stamp


@contextmanager
def canvas(height: float) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of so many points in height, and axes in points from its top left corner."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, (height + FOOT) / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(height + FOOT, 0)
        axes.axis("off")
        yield figure, axes


def across(value: float, limits: Sequence[float], left: float, right: float) -> float:
    """Place a value between two points; beyond the declared limits it stays at the edge."""
    share = (min(max(value, limits[0]), limits[1]) - limits[0]) / (limits[1] - limits[0])
    return left + share * (right - left)


def tile(axes: Axes, box: tuple[float, float, float, float], fill: str | None,
         row: int | None = None) -> None:  # fmt: skip
    """Draw a square (left, top, width, height) for a row; hatched where its number is withheld."""
    x, y, wide, tall = box
    axes.add_patch(
        Rectangle((x, y), wide, tall, facecolor=fill or PAPER, edgecolor=GREY, linewidth=0.7,
                  hatch=None if fill else "////", gid=None if row is None else f"row-{row}")
    )  # fmt: skip


def wrapped(text: str, most: int) -> str:
    """Break a text into lines of at most so many letters."""
    return "\n".join(textwrap.wrap(text, most, break_long_words=False))


def finished(figure: Figure, prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Return the figure of a canvas as SVG of drawing, text, title and description alone."""
    if demo:
        figure.text(
            0.995, 0.004, say("pretend"), ha="right", va="bottom", fontsize=8.5, color=RUST,
            style="italic",
        )  # fmt: skip
    held = io.BytesIO()
    figure.savefig(held, format="svg", metadata={"Date": None})
    return cleaned(held.getvalue(), prefix, title, words)


def cleaned(raw: bytes, prefix: str, title: str, words: str) -> str:
    """Take out what matplotlib writes about itself; styles become attributes and classes."""
    tree: Any = etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_blank_text=True))
    for name in ("metadata", "style", "clipPath"):
        for found in list(tree.iter(f"{{{SVG}}}{name}")):
            found.getparent().remove(found)
    for element in tree.iter():
        _element(element, prefix)
    box = tree.get("viewBox")
    told = etree.Element(f"{{{SVG}}}svg", nsmap={None: SVG})
    for key, value in (
        ("viewBox", box),
        ("role", "img"),
        ("font-family", "DejaVu Sans"),
        ("aria-labelledby", f"{prefix}-t {prefix}-d"),
    ):
        told.set(key, value)
    for name, end, text in (("title", "t", title), ("desc", "d", words)):
        made = etree.SubElement(told, f"{{{SVG}}}{name}", id=f"{prefix}-{end}")
        made.text = text
    _flat(tree, told)
    return etree.tostring(told, encoding="unicode")


def _flat(source: Any, target: Any) -> None:
    # Groups that carry nothing but matplotlib's own numbering are left out.
    for child in source:
        bare = child.tag == f"{{{SVG}}}g" and not child.attrib
        if bare:
            _flat(child, target)
        elif child.tag != f"{{{SVG}}}defs" or len(child):
            made = etree.SubElement(target, child.tag, dict(child.attrib))
            made.text = child.text
            _flat(child, made)


def _element(element: Any, prefix: str) -> None:
    pairs = (p.split(":", 1) for p in element.attrib.pop("style", "").split(";") if ":" in p)
    style = {key.strip(): value.strip() for key, value in pairs}
    if font := style.pop("font", ""):
        style |= _font(font)
    for key in list(element.attrib):
        _attribute(element, key, prefix)
    for key, value in style.items():
        if key in KEPT:
            element.set(key, HOLDER.sub(rf"url(#{prefix}-\1)", value))
    if element.tag == f"{{{SVG}}}text":
        if not element.get("fill"):
            element.set("fill", INK)
        if element.get("text-anchor") == "start":
            del element.attrib["text-anchor"]


def _font(text: str) -> dict[str, str]:
    told = {}
    if size := re.search(r"([\d.]+)px", text):
        told["font-size"] = size[1]
    if re.search(r"\bbold\b|\b700\b", text):
        told["font-weight"] = "bold"
    return told


def _attribute(element: Any, key: str, prefix: str) -> None:
    value = element.get(key)
    if key == "id":
        del element.attrib["id"]
        if value.startswith("row-"):
            element.set("data-row", value[4:])
        elif element.tag.endswith(("clipPath", "pattern", "path", "symbol")) and _target(element):
            element.set("id", f"{prefix}-{value}")
    elif key.endswith("}href"):
        del element.attrib[key]
        element.set("href", f"#{prefix}-{value[1:]}")
    elif key == "clip-path" or (key == "transform" and value.startswith("rotate(-0 ")):
        del element.attrib[key]  # nothing is drawn outside its axes, or turned by nothing
    elif key in ("transform", "d", "x", "y", "width", "height", "cx", "cy", "r"):
        element.set(key, " ".join(_rounded(value).split()))


def _target(element: Any) -> bool:
    return any(a.tag == f"{{{SVG}}}defs" for a in element.iterancestors())


def _rounded(text: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), text)


FONTS = Path(mpl.get_data_path()) / "fonts/ttf"
