"""Everything that displays a graph: pictures, step pages, subgraphs, training pages.

`graphs` draws pictures, `steps` walks through a graph in text and on a page, `training` makes the
page of a network in training, and `html` has the common parts of pages. `subgraphs` divides large
graphs into parts. The files here are used by several of these: `display_graph` makes the display
copy of a graph and names its nodes, `number_format` formats numbers, `characters` typesets names,
and `weighted_sums` finds the layers of a network.
"""
