"""The colours of pictures."""

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
SLATE = "#5F6B78"  # of lines that stand for several, which would be too heavy in ink
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: What stands out is bold; a halo keeps it apart on the screen, its weight in grey print.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"

#: What is inf or nan, and has a shape of its own besides.
ALARM = "#A3161F"

PAPER, FOLD_FILL, FRAME_LINE, FRAME_FILLS = "white", "#E9EEF4", "#8A94A0", ("#F4F6F9", "#FFFFFF")

#: On dark paper: the colours of the step page.
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
