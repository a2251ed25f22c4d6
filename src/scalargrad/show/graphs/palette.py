"""The fonts and fixed colours of pictures, on light and dark paper.

Colours that show numbers are in `scale`.
"""

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
