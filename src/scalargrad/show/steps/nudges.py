"""Say what a small change of an input does to the output, after trying it.

The gradient predicts the change, except at a kink, at a jump, and where the function curves too
much for the step. So the graph is computed again beside the point, and the sentence says what
was found there; only where there can be none of these, and no rounding either, it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite, nan
from typing import NamedTuple

from scalargrad.autodiff import error_signals
from scalargrad.errors import ScalargradError
from scalargrad.grad_mode import enable_grad
from scalargrad.ops.reductions import Largest
from scalargrad.show.number_format import equal_to, number, signed
from scalargrad.show.softmax_maximum import scores_of
from scalargrad.show.steps.scene import Scene
from scalargrad.value import Value

_NUDGE = 0.01  # of 0, and of what is almost 0
_SMALLER = 4  # how often the nudge is divided by ten, where the function curves too much
_TRUE = 0.1  # a change predicted with "about" is off by no more than this fraction
_NOTHING = 0.02  # of the nudge: a change so small is about 0
_BESIDE, _NEARER = 1e-6, 16.0  # of the nudge: where slopes beside the point are taken
_MOST_WIRES = 2_000  # in larger graphs kinks are not looked for; what is not predicted is left out
_CLEAR = 1e-6  # a difference of slopes, relative to them, that is more than rounding
_ROUNDED_OFF = 1e-12  # a change of the output, relative to it, that is rounding
_STRAIGHT = 1e-6  # of a change: so little is off where the function is straight


class Point(NamedTuple):
    """The output where one input is a little different, and its derivative with respect to it."""

    output: float
    slope: float


def nudge_note(scene: Scene, leaf: Value, total: float) -> str:
    """Say what the complete gradient of an input means: ``nudge x by +0.01: …``."""
    if kink := kink_note(scene, leaf, total):
        return kink
    x, at, nudge = scene.data[leaf], scene.data[scene.root], nudge_of(scene.data[leaf])
    for _ in range(1 + _SMALLER if isfinite(total) else 0):
        change = output_at(scene, leaf, x + nudge) - at
        if _holds(change, nudge, total):
            return _promise(scene, leaf, nudge, total, change)
        nudge = float(f"{nudge / 10:.0e}")
    return ""


def kink_note(scene: Scene, leaf: Value, total: float) -> str:
    """Say where the output has a jump or a kink in this input: ``kink at x = 0: …``."""
    nudge = nudge_of(scene.data[leaf])
    if not isfinite(nudge * total) or not isfinite(scene.data[scene.root]):
        return ""
    if scene.is_smooth or scene.wire_count > _MOST_WIRES:
        return ""
    return _beside(scene, leaf, nudge, total)


def _promise(scene: Scene, leaf: Value, nudge: float, total: float, found: float) -> str:
    names, change = scene.names, nudge * total
    is_bent = abs(found - change) > _STRAIGHT * abs(change)
    about = "about " if is_bent or scene.exactness.gradient(leaf) == "≈" else ""
    return (
        f"nudge {names[leaf]} by {signed(nudge)}: "
        f"{names[scene.root]} changes by {about}{signed(change)}"
    )


def _holds(change: float, nudge: float, total: float) -> bool:
    """Return whether the output changes as the gradient predicts; nan does not."""
    foretold = nudge * total
    off = abs(change - foretold)
    return off <= _TRUE * max(abs(change), abs(foretold)) or (
        max(abs(change), abs(foretold)) <= _NOTHING * nudge
    )


def _beside(scene: Scene, leaf: Value, nudge: float, total: float) -> str:
    """Say where the output has a jump or a kink in this input; "" where it has neither."""
    x, at = scene.data[leaf], scene.data[scene.root]
    step = max(_BESIDE * nudge, _ROUNDED_OFF * abs(x))
    far = [beyond(scene, leaf, x + side * step) for side in (-1, 1)]
    if not all(isfinite(number) for point in far for number in point):
        return ""
    near = [beyond(scene, leaf, x + side * step / _NEARER) for side in (-1, 1)]
    left, right = near
    root, where = scene.names[scene.root], f"{scene.names[leaf]} {equal_to(x)}"
    steepest = max(abs(total), *(abs(point.slope) for point in far))
    if any(
        abs(b.output - at) > max(abs(a.output - at) / 2, step * steepest, _CLEAR * abs(at))
        for a, b in zip(far, near, strict=True)
    ):
        below, above = (
            _limit(point, side * step / _NEARER, at) for point, side in ((left, -1), (right, 1))
        )
        return (
            f"{root} jumps at {where}: it is {number(below)} just below and "
            f"{number(above)} just above; the gradient leaves a jump out"
        )
    scale = steepest + sum(map(abs, scene.terms[leaf]))
    noise = max(_CLEAR * scale, _ROUNDED_OFF * abs(at) / nudge)
    below, above = (0.0 if abs(y.slope) < _CLEAR * scale else y.slope for y in near)
    gap = abs(right.slope - left.slope)
    if gap > max(noise, abs(far[1].slope - far[0].slope) / 2):
        return (
            f"kink at {where}: the derivative of {root} is {number(below)} from the left and "
            f"{number(above)} from the right; {number(total)} is taken by convention"
        )
    taken = max(abs(total - point.slope) for point in near)
    if taken > max(noise, max(abs(total - point.slope) for point in far) / 2):
        return (
            f"kinks meet at {where}: the derivative of {root} is {number(above)}, but the "
            f"conventions at each of them make {number(total)}"
        )
    return ""


def _limit(point: Point, away: float, at: float) -> float:
    """Return the limit of the output, extrapolated from a point at this distance."""
    limit = point.output - away * point.slope
    return 0.0 if abs(limit) < _ROUNDED_OFF * max(abs(at), 1.0) else limit


def beyond(scene: Scene, leaf: Value, x: float) -> Point:
    """Return the output and its slope where `leaf` is x; nan where they are undefined.

    They count as undefined where the program would take another branch. Nor is there a slope behind
    a compiled function, which makes nodes only when it is called.
    """
    moved: dict[Value, Value | float] = {leaf: Value(x)}
    try:
        with enable_grad():
            for node in scene.gates_after(leaf):
                assert node.op is not None
                moved[node] = node.op.of(*(_moved(scene, moved, y) for y in node.parents))
    except (ScalargradError, NotImplementedError):
        return Point(nan, nan)
    if not scene.branches_alike(lambda x: _number(moved.get(x, scene.data[x]))):
        return Point(nan, nan)
    root, order = moved[scene.root], [y for y in moved.values() if isinstance(y, Value)]
    assert isinstance(root, Value)
    return Point(root.data, error_signals(order, {root: 1.0})[order[0]])


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


def _moved(
    scene: Scene, moved: Mapping[Value, Value | float], operand: Value | float
) -> Value | float:
    """Return an operand after the nudge: a node only if the leaf reaches it by a wire."""
    if isinstance(operand, Largest) and scores_of(operand, scene.place):
        return operand.at(lambda x: _number(moved.get(x, scene.data[x])))
    if not isinstance(operand, Value):
        return operand
    return moved.get(operand, scene.data[operand])


def _number(x: Value | float) -> float:
    return x.data if isinstance(x, Value) else x


def nudge_of(x: float) -> float:
    """Return by how much to nudge x: a hundredth of the greatest power of ten that is in it."""
    size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
    return float(f"1e{size - 2}") or _NUDGE
