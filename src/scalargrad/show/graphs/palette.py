"""The fonts and colours of pictures, on light and dark paper, and the scale of those for numbers.

That is orange below zero, grey at zero, blue above. Colour-blind readers can tell blue from orange,
too. Dark text is readable on all of them; on dark paper they are replaced by deep ones, on all of
which light text is readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

from scalargrad.errors import LayoutError
from scalargrad.show.graphs.gates import FanOutCopy
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import is_word
from scalargrad.value import Value

#: Graphviz knows the widths of its letters, which are those of Arial and Liberation Sans.
FONTS = "Helvetica"

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
SLATE = "#5F6B78"  # for thick lines, which would be too dark in ink
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: Highlights are bold, to be seen in print without colour, with a halo on the screen.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"

#: Nodes that are inf or nan, which also have a shape of their own.
ALARM = "#A3161F"

PAPER, FOLD_FILL, FRAME_LINE, FRAME_FILLS = "white", "#E9EEF4", "#8A94A0", ("#F4F6F9", "#FFFFFF")

#: The colours on a dark background, those of the step page.
DARK = {
    PAPER: "#14171B",
    VALUE: "#7CC4FF",
    GRADIENT: "#FFA36B",
    INK: "#E9EDF2",
    SLATE: "#A9B3BE",
    CONSTANT_INK: "#C9D0D8",
    CONSTANT_FILL: "#2B313A",
    HALO: "#C98A00",
    HALO_FILL: "#6B4900",
    ALARM: "#FF9A9A",
    FOLD_FILL: "#242B34",
    FRAME_LINE: "#66717E",
    FRAME_FILLS[0]: "#1C2027",
    FRAME_FILLS[1]: "#14171B",
}


_NEGATIVE, _ZERO, _POSITIVE = (0xF0, 0x97, 0x37), (0xE4, 0xE4, 0xE4), (0x5F, 0xA8, 0xEC)
_DEEP = (0x8F, 0x4A, 0x00), (0x33, 0x3A, 0x43), (0x14, 0x5D, 0x9C)


QUANTITIES = ("value", "gradient")


@dataclass(frozen=True, slots=True)
class Scale:
    """A diverging scale from -limit to limit, with zero always in its middle.

    Parameters
    ----------
    quantity : str
        What the numbers are: ``value`` or ``gradient``.
    limit : float
        The greatest magnitude, not negative; numbers beyond it have the colours of the ends.
    dark : bool
        For light text on dark paper.

    Examples
    --------
    >>> scale = Scale("value", 12.0)
    >>> scale.colour(-12.0), scale.colour(0.0), scale.colour(6.0)
    ('#f09737', '#e4e4e4', '#a2c6e8')
    """

    quantity: str
    limit: float
    dark: bool = False

    def colour(self, x: float) -> str:
        """Return the colour of `x` as #rrggbb; nan has the colour of zero."""
        negative, zero, positive = _DEEP if self.dark else (_NEGATIVE, _ZERO, _POSITIVE)
        end, share = positive if x > 0 else negative, self._share(x)
        mixed = (round(z + share * (e - z)) for z, e in zip(zero, end, strict=True))
        return "#" + "".join(f"{part:02x}" for part in mixed)

    def _share(self, x: float) -> float:
        """Return |x| as a share of the limit, at most 1."""
        if isnan(x) or x == 0:
            return 0.0
        return min(abs(x) / self.limit, 1.0) if self.limit else 1.0

    def swatches(self) -> list[str]:
        """Return colours from the lowest number to the highest, that of zero in the middle."""
        if not self.limit:
            return [self.colour(0.0)]
        return [self.colour(i / 4 * self.limit) for i in range(-4, 5)]


def scale_of(color: str | None, numbers: Iterable[float], dark: bool = False) -> Scale | None:
    """Return a scale for all finite numbers; None if `color` is None.

    Examples
    --------
    >>> scale_of("value", [-3.0, 2.0])
    Scale(quantity='value', limit=3.0, dark=False)
    """
    finite = (abs(x) for x in numbers if isfinite(x))
    return None if color is None else Scale(color, max(finite, default=0.0), dark)


def numbers_by_id(
    color: str | None, order: Sequence[Value], copies: Iterable[FanOutCopy] = ()
) -> dict[str, float]:
    """Return the value or gradient of each box, gate and wire that is to be tinted, by id.

    Raises
    ------
    LayoutError
        If `color` is not a quantity that can be shown.

    Examples
    --------
    >>> numbers_by_id("value", [Value(2.0, "x")])
    {'n0': 2.0, 'n0-wire': 2.0}
    """
    if color is None:
        return {}
    if not is_word(color, QUANTITIES):
        known = ", ".join(map(repr, QUANTITIES))
        raise LayoutError(f"color is {shown(color)}: use {known}, or None for none")
    by_value, found = color == "value", {}
    for i, node in enumerate(order):
        found[f"n{i}"] = found[f"n{i}-wire"] = node.data if by_value else node.grad or 0.0
    for copy in copies:
        found[f"{copy.id}-wire"] = copy.operand.data if by_value else copy.contribution
    return found
