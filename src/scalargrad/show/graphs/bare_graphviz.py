"""Lay out a graph by those libraries in pygraphviz's wheels that need no others of the system.

Fonts and bitmaps need the libraries of X and GLib, which a small container lacks. Layout and text
formats do not; without fonts, Graphviz takes the sizes of text from tables. The program

    python bare_graphviz.py KIND FONTS

reads DOT in which the fonts are so named, and writes SVG or JSON. With a further argument it reads
and writes a JSON list of texts.
"""

from __future__ import annotations

import ctypes
import functools
import json
import sys
from importlib.util import find_spec
from pathlib import Path

_PLUGINS = ("gvplugin_core", "gvplugin_dot_layout", "gvplugin_neato_layout")
#: A font that Graphviz has a table of.
_KNOWN = "Arial"
#: What stands before the name of a font in DOT, SVG and JSON.
_NAMES = ("fontname=", "font-family=", '"fontname": ')


class _Symbol(ctypes.Structure):
    """A plugin, as libgvc takes it: ``lt_symlist_t``."""

    _fields_ = (("name", ctypes.c_char_p), ("address", ctypes.c_void_p))


def _library(name: str) -> ctypes.CDLL:
    package = find_spec("pygraphviz")
    found = [] if package is None else package.submodule_search_locations or []
    paths = [path for folder in found for path in Path(f"{folder}.libs").glob(f"lib{name}-*")]
    if not paths:
        raise SystemExit(f"pygraphviz brings no lib{name} here")
    return ctypes.CDLL(str(paths[0]))


@functools.cache
def libraries() -> tuple[ctypes.CDLL, ctypes.CDLL, ctypes.c_void_p]:
    """Return libgvc and libcgraph, and a context with the plugins."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    gvc, cgraph = _library("gvc"), _library("cgraph")
    plugins = (_Symbol * (len(_PLUGINS) + 1))()  # the last one is empty
    for i, name in enumerate(_PLUGINS):
        symbol = f"{name}_LTX_library"
        start = ctypes.c_char.in_dll(_library(name), symbol)
        plugins[i] = _Symbol(symbol.encode(), ctypes.addressof(start))
    gvc.gvContextPlugins.restype = cgraph.agmemread.restype = pointer
    gvc.gvContextPlugins.argtypes = [pointer, ctypes.c_int]
    gvc.gvLayout.argtypes = [pointer, pointer, text]
    gvc.gvRenderData.argtypes = [pointer, pointer, text, pointer, pointer]
    return gvc, cgraph, gvc.gvContextPlugins(plugins, 0)


def _renamed(text: str, old: str, new: str) -> str:
    for name in _NAMES:
        text = text.replace(f'{name}"{old}"', f'{name}"{new}"')
    return text


def drawn(dot: str, kind: str, fonts: str) -> str:
    """Return a graph laid out, as ``"svg"`` or ``"json0"``; `fonts` are as wide as Arial.

    Raises
    ------
    SystemExit
        If pygraphviz brings no libraries, or they cannot draw it.
    """
    gvc, cgraph, context = libraries()
    graph = cgraph.agmemread(_renamed(dot, fonts, _KNOWN).encode())
    if not graph or gvc.gvLayout(context, graph, b"dot"):
        raise SystemExit("the graph could not be laid out")
    data, size = ctypes.c_char_p(), ctypes.c_size_t()
    if gvc.gvRenderData(context, graph, kind.encode(), ctypes.byref(data), ctypes.byref(size)):
        raise SystemExit(f"{kind} could not be written")
    return _renamed((data.value or b"").decode(), _KNOWN, fonts)


if __name__ == "__main__":
    text = sys.stdin.buffer.read().decode()
    kind, fonts, *each = sys.argv[1:]
    made = [drawn(x, kind, fonts) for x in (json.loads(text) if each else [text])]
    with open(1, "wb", closefd=False) as out:  # sys.stdout may drop what a signal cuts off
        out.write((json.dumps(made) if each else made[0]).encode())
