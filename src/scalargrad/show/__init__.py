"""Everything that shows a graph: pictures, steps, folded parts, training pages."""
