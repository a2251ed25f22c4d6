"""The step page: a walk as one HTML file that opens from disk and needs no network.

Python decides what to draw, draws it and keeps what is drawn alike once (`drawings`), writes what
the page must know and puts the document together (`document`). The page itself is `page.html`,
`page.css` and the scripts beside them: plain JavaScript, joined in the order that `document` lists,
with what all pages share (`scalargrad.show.html`).

=============== ==============================================================
formulas        the chain rule of a step, as text and as MathML, by templates; names as in print
sweep           values forward, gradients backward; whether the program would take another branch;
                what operations give of the digits shown: = or ≈
wording         what a step says in words, by templates
state           what is known of the walk, and the step, view and notation shown
drawings        which drawing is open, what stands where in it; the graph at a step
marks           halos, rings, the arrow back; the product on the active wire
panel, layers   the explanation beside it; that of a layer, as matrices
predict         questions, and what was wrong with an answer
inputs          sliders and boxes
timeline        moving, playing, keys, links
viewport        zooming, centring, and what moves
tools           the menu More
sheet           printed worksheets, also with inputs of their own, and questions for Moodle
main            putting it together
=============== ==============================================================
"""

from scalargrad.show.steps.page.document import LIMIT as LIMIT
from scalargrad.show.steps.page.document import page as page
