"""Everything that displays a graph: pictures, step pages, folded subgraphs, training pages."""
