"""The colours of pictures."""

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
SLATE = "#5F6B78"  # of lines that stand for several, which would be too heavy in ink
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: What stands out is bold; a halo keeps it apart on the screen, its weight in grey print.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"
