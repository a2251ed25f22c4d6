"""Say what a small change of an input does to the output, beside what the gradient foretells."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite, nan

from scalargrad.errors import ScalargradError
from scalargrad.ops.reductions import Largest
from scalargrad.show.number_format import is_rounded, signed
from scalargrad.show.shown_graph import scores_of
from scalargrad.show.steps.scene import Scene
from scalargrad.value import Value

_NUDGE = 0.01  # of 0, and of what is almost 0
_TRUE = 0.1  # a change that is foretold with "about" is off by no more than this fraction
_NOTHING = 0.02  # of the nudge: a change so small is about 0
_STRAIGHT = 1e-6  # of a change: so little is off where the function is straight


def nudge_note(scene: Scene, leaf: Value, total: float) -> str:
    """Say what a nudge of an input by a hundredth of its size does: ``nudge x by +0.01: …``.

    The graph is computed again there. Where the output does not change as the gradient foretells,
    as beside a kink, both numbers are given; where it is not finite, nothing is.
    """
    x, names, nudge = scene.data[leaf], scene.names, nudge_of(scene.data[leaf])
    foretold = nudge * total
    found = output_at(scene, leaf, x + nudge) - scene.data[scene.root]
    if not isfinite(foretold) or not isfinite(found):
        return ""
    said = f"nudge {names[leaf]} by {signed(nudge)}: {names[scene.root]} changes by "
    most, off = max(abs(found), abs(foretold)), abs(found - foretold)
    if off > _TRUE * most and most > _NOTHING * nudge:
        about = "about " if is_rounded(found) else ""
        end = f"not by {signed(foretold)} as the gradient foretells: it is no straight line there"
        return f"{said}{about}{signed(found)}, {end}"
    is_bent = off > _STRAIGHT * abs(foretold)
    about = "about " if is_bent or scene.exactness.gradient(leaf) == "≈" else ""
    return f"{said}{about}{signed(foretold)}"


def output_at(scene: Scene, leaf: Value, x: float) -> float:
    """Return the output where `leaf` is x; nan where it is undefined, or of another branch."""
    data: dict[Value, float] = {leaf: x}

    def now(y: Value | float) -> float:
        if isinstance(y, Largest) and scores_of(y, scene.place):
            return y.at(now)
        return data.get(y, scene.data[y]) if isinstance(y, Value) else y

    try:
        for node in scene.gates_after(leaf):
            assert node.op is not None
            data[node] = node.op.of_floats(*map(now, node.parents))
    except ScalargradError:
        return nan
    if not scene.branches_alike(now):
        return nan
    return data.get(scene.root, scene.data[scene.root])


def nudge_of(x: float) -> float:
    """Return by how much to nudge x: a hundredth of the greatest power of ten that is in it."""
    size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
    return float(f"1e{size - 2}") or _NUDGE
