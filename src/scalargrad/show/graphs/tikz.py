"""Write an SVG of Graphviz as TikZ, for documents in LaTeX: its letters are the document's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"
_NAMED = {
    "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≈": r"$\approx$", "∂": r"$\partial$",
    "√": r"$\surd$", "∑": r"$\Sigma$", "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}",
}  # fmt: skip
_ESCAPED = "#$%&_{}"


def tikz(svg: str) -> str:
    """Return a picture as a ``tikzpicture``, which needs no TikZ library."""
    shapes = "\n".join(_shapes(ET.fromstring(svg)))
    begin = r"\begin{tikzpicture}[x=1bp, y=-1bp, inner sep=0pt, font=\sffamily]"
    return f"{begin}\n{shapes}\n\\end{{tikzpicture}}\n"


def _shapes(root: ET.Element) -> Iterator[str]:
    for part in root.iter():
        read = part.get
        if read("fill") == "white" and read("stroke") == "none":
            continue  # paper
        match part.tag.removeprefix(_SVG):
            case "polygon":
                corners = " -- ".join(f"({point})" for point in read("points", "").split())
                yield rf"\path[{_style(part.attrib)}] {corners} -- cycle;"
            case "ellipse":
                size = f"x radius={read('rx')}, y radius={read('ry')}"
                at = f"({read('cx')},{read('cy')})"
                yield rf"\path[{_style(part.attrib)}] {at} circle [{size}];"
            case "path":
                yield rf"\path[{_style(part.attrib)}] {_curve(read('d', ''))};"
            case "text":
                yield _text(part)


def _style(of: Mapping[str, str]) -> str:
    """Return the options of a shape that is filled, drawn or both."""
    found = []
    if of.get("fill", "none") != "none":
        found.append(f"fill={_colour(of['fill'])}")
    if of.get("stroke", "none") != "none":
        found.append(f"draw={_colour(of['stroke'])}")
        found.append(f"line width={of.get('stroke-width', '1')}bp")
    if dashes := of.get("stroke-dasharray"):
        on, off = dashes.split(",")
        found.append(f"dash pattern=on {on}bp off {off}bp")
    return ", ".join(found)


def _colour(written: str) -> str:
    """Return a colour for xcolor, which TikZ loads.

    Examples
    --------
    >>> _colour("#0b5cad"), _colour("white")
    ('{rgb,255:red,11;green,92;blue,173}', 'white')
    """
    if not written.startswith("#"):
        return written
    red, green, blue = (int(written[i : i + 2], 16) for i in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _curve(d: str) -> str:
    """Return a path of Bézier curves.

    Examples
    --------
    >>> _curve("M0,1C2,1 3,4 5,4")
    '(0,1) .. controls (2,1) and (3,4) .. (5,4)'
    """
    start, *points = (f"({point})" for point in re.findall(r"-?[\d.]+,-?[\d.]+", d))
    thirds = zip(points[::3], points[1::3], points[2::3], strict=True)
    return start + "".join(f" .. controls {a} and {b} .. {end}" for a, b, end in thirds)


def _text(part: ET.Element) -> str:
    read = part.get
    size, anchor = read("font-size", "13"), {"middle": "base", "end": "base east"}
    slanted = r"\itshape" if read("font-style") == "italic" else ""
    font = rf"\fontsize{{{size}}}{{{size}}}\selectfont{slanted}"
    where = anchor.get(read("text-anchor", ""), "base west")
    at = f"({read('x')},{float(read('y', '0')) + float(read('dy', '0')):g})"
    style = f"anchor={where}, text={_colour(read('fill', 'black'))}, font=\\sffamily{font}"
    return rf"\node[{style}] at {at} {{{''.join(map(_letter, ''.join(part.itertext())))}}};"


def _letter(letter: str) -> str:
    r"""Return a letter as LaTeX writes it.

    Examples
    --------
    >>> print(*map(_letter, "θ₀²_"))
    $\theta$ \textsubscript{0} \textsuperscript{2} \_
    """
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    greek = unicodedata.name(letter, "").split()
    if kind in {"<sub>", "<super>"}:
        return rf"\text{kind[1:-1]}script{{{chr(int(code, 16))}}}"
    if greek[:1] == ["GREEK"] and greek[2:3] == ["LETTER"] and len(greek) == 4:
        name = greek[3].lower()
        return rf"$\{name.capitalize() if greek[1] == 'CAPITAL' else name}$"
    return _NAMED.get(letter, rf"\{letter}" if letter in _ESCAPED else letter)
