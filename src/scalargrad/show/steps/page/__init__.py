"""The step page: a walk as one HTML file that opens from disk and needs no network.

Python draws the graph (`page_drawings`), encodes the data of the page as JSON, and combines both
with the template, style and scripts of this folder and those of all pages, `scalargrad.show.html`
(`step_page`). The scripts are plain JavaScript:

=============== ==============================================================
formulas        the chain rule of a step as text and MathML, from templates; typeset names
sweep           values forward, gradients backward; whether the program would take another branch;
                = or ≈ between displayed numbers
wording         the sentences and remarks of a step, from templates
state           the recorded walk, and the current step, view and notation
drawings        the open drawing and its shapes; the graph at a step
marks           halos, rings, the arrow back; the product on the active wire
panel, layers   the explanation of a step; of a layer, as matrices
predict         questions, and the mistakes in answers
inputs          sliders and boxes
timeline        moving, playing, keys, links
viewport        zooming, centring and animation
tools           the menu More
sheet           printed worksheets, also with random inputs, and questions for Moodle
main            event listeners and the start of the page
=============== ==============================================================
"""

from scalargrad.show.steps.page.step_page import DEFAULT_LIMIT as DEFAULT_LIMIT
from scalargrad.show.steps.page.step_page import render_step_page as render_step_page
