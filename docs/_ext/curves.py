"""Small plots of operations: value and slope over the interval that their tests draw from."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from scalargrad import Value, gradients
from scalargrad.errors import ScalargradError
from scalargrad.opdef.operation import FixedArityOperation, Operation

_WIDTH, _HEIGHT, _MARGIN, _POINTS = 300.0, 190.0, 16.0, 301
_HIGHEST = 4.0  # steeper or higher is cut off

Point = tuple[float, float]


def curve(op: Operation) -> str:
    """Return an SVG of the operation as a function of its first operand, the others held."""
    if not isinstance(op, FixedArityOperation) or op.is_boolean:
        return ""
    others = [_inside(op.domain.interval(i)) for i in range(1, op.arity)]
    low, high = op.domain.interval(0)
    xs = [low + (high - low) * i / (_POINTS - 1) for i in range(_POINTS)]
    drawn = [(x, *found) for x in xs if (found := _at(op, x, others))]
    values, slopes = [(x, y) for x, y, _ in drawn], [(x, s) for x, _, s in drawn]
    return _svg(op, others, (low, high), values, slopes)


def _inside(interval: tuple[float, float]) -> float:
    low, high = interval
    return round(low + 0.7 * (high - low), 1)


def _at(op: Operation, x: float, others: list[float]) -> tuple[float, float] | None:
    leaf = Value(x)
    try:
        result = op.of(leaf, *others)
    except ScalargradError:
        return None
    slope = gradients(result, [leaf])[0] if isinstance(result, Value) else 0.0
    return (result.data, slope) if isfinite(result.data) and isfinite(slope) else None


def _svg(
    op: FixedArityOperation,
    others: list[float],
    across: tuple[float, float],
    values: list[Point],
    slopes: list[Point],
) -> str:
    heights = [y for _, y in [*values, *slopes]] or [0.0]
    low = max(min([0.0, *heights]), -_HIGHEST)
    high = min(max([0.0, *heights]), _HIGHEST)

    def place(point: Point) -> str:
        x = _MARGIN + (point[0] - across[0]) / (across[1] - across[0]) * (_WIDTH - 2 * _MARGIN)
        y = _MARGIN + (high - point[1]) / ((high - low) or 1.0) * (_HEIGHT - 2 * _MARGIN)
        return f"{x:.1f} {y:.1f}"

    def line(kind: str, points: list[Point]) -> str:
        paths = ["M" + "L".join(map(place, piece)) for piece in _pieces(points, low, high)]
        return f"<path class='{kind}' d='{' '.join(paths)}'/>"

    axes = [[(across[0], 0.0), (across[1], 0.0)]]
    if across[0] <= 0.0 <= across[1]:
        axes.append([(0.0, low), (0.0, high)])
    axis = " ".join("M" + "L".join(map(place, ends)) for ends in axes)
    names = [x.name for x in op.operand_symbols]
    held = ", ".join(f"{name} = {x:g}" for name, x in zip(names[1:], others, strict=True))
    ends = f"{names[0]} from {across[0]:g} to {across[1]:g}"
    against = (f"{ends}, {held}" if held else ends).replace("-", "−")
    vertical = f"{low:.3g} to {high:.3g}".replace("-", "−")
    return (
        f"<figure><svg viewBox='0 0 {_WIDTH:g} {_HEIGHT:g}' role='img' "
        f"aria-label='{op.name} and its slope, {against}'><path class='axis' d='{axis}'/>"
        f"{line('slope', slopes)}{line('value', values)}</svg>"
        f"<figcaption><span class='value'>value</span> and <span class='slope'>slope</span>, "
        f"{against}; vertical axis from {vertical}</figcaption></figure>"
    )


def _pieces(points: list[Point], low: float, high: float) -> Iterator[list[Point]]:
    """Yield the stretches in which a curve neither jumps nor leaves the picture."""
    piece: list[Point] = []
    for point in points:
        jumps = bool(piece) and abs(point[1] - piece[-1][1]) > 0.1 * (high - low)
        if jumps or not low <= point[1] <= high:
            if len(piece) > 1:
                yield piece
            piece = []
        if low <= point[1] <= high:
            piece.append(point)
    if len(piece) > 1:
        yield piece
