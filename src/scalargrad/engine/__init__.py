"""The engine: Values, the graph that they build, and the backward sweep over it.

`value` has the class `Value`, `multi_output` nodes with several outputs, `graph` the topological
order, `autodiff` the backward sweep, and `tree` nested containers of Values. `naming` names nodes.
`grad_mode`, `active_derivatives` and `recorder` determine what an operation does: build a graph,
make a leaf, or call the recorder of the compiler; `draws` does so for random numbers.
`micrograd_compat` has the attribute names of micrograd, `conversions` Python's conversions, copies
and pickles, `other_names` the functions of other libraries, and `branch_log` the log of
comparisons in Python code.
"""
