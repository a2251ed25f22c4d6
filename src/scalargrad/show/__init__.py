"""Everything that displays a graph: pictures, step pages, folded subgraphs, training pages.

`graphs` draws pictures, `steps` walks through a graph in text and on a page, `training` makes the
page of a network in training, and `html` holds what pages share. `subgraphs` divides large graphs
into parts. The files here serve several of these: they write numbers (`number_format`) and names
(`characters`), recognise weighted sums (`weighted_sums`), and say what is shown otherwise
than it was computed (`shown_graph`).
"""
