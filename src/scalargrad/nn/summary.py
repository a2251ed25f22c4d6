"""The cost of a module: parameters, nodes in its graph, and memory for the backward pass."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_instance
from scalargrad.engine.graph import topological_order
from scalargrad.engine.tree import flatten
from scalargrad.engine.value import Value
from scalargrad.nn.display import SummaryLine, summarize_parts
from scalargrad.nn.module import Module


class Summary(NamedTuple):
    """The result of `summary`; its text is a table.

    Attributes
    ----------
    kind : str
        Name of the module's class.
    parts : list of SummaryLine
        The direct children of the module.
    parameters : int
        Number of Parameters, each counted once.
    nodes : int
        Number of operations, which are the interior nodes of the graph, for one example.
    bytes : int
        Memory of this graph, which is needed until the end of the backward pass, without the
        memory of the parameters.
    """

    kind: str
    parts: list[SummaryLine]
    parameters: int
    nodes: int
    bytes: int

    def __str__(self) -> str:
        rows = [("", "module", "parameters")]
        rows += [(p.name, p.module, f"{p.parameters:,}") for p in self.parts]
        rows += [("", self.kind, f"{self.parameters:,}")]
        first, second, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [f"{name:<{first}}  {kind:<{second}}  {count:>10}" for name, kind, count in rows]
        lines += [f"nodes per example        {self.nodes:,}"]
        lines += [f"bytes kept for backward  {self.bytes:,}"]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Show the table in notebooks and in IPython."""
        printer.text(str(self))


def summary(model: Module, example: Any) -> Summary:
    """Count the parameters of a module, and the nodes and memory of its graph for one example.

    Parameters
    ----------
    model : Module
        The module, which is called once.
    example
        The input of the call.

    Returns
    -------
    Summary
        The counts, and the memory in bytes.

    Notes
    -----
    The graph of a batch contains the nodes of every example, so memory limits the batch size:
    bytes × batch size must fit.

    Examples
    --------
    >>> from scalargrad.nn import Linear, ReLU, Sequential
    >>> found = summary(Sequential(Linear(2, 3), ReLU(), Linear(3, 1)), [0.5, 0.25])
    >>> found.parameters, found.nodes
    (13, 7)
    >>> print(found)  # doctest: +ELLIPSIS
       module                                            parameters
    0  Linear(in_features=2, out_features=3, bias=True)           9
    1  ReLU()                                                     0
    2  Linear(in_features=3, out_features=1, bias=True)           4
       Sequential                                                13
    nodes per example        7
    bytes kept for backward  ...
    """
    check_instance(model, "model", Module, "a Module")
    outputs, _ = flatten(model(example), "the module's output")
    roots = [y for y in outputs if isinstance(y, Value)]
    order = topological_order(*roots)
    interior = [node for node in order if node.parents]
    return Summary(
        type(model).__name__,
        summarize_parts(model),
        len(model.parameters()),
        len(interior),
        _bytes(interior, (node for node in order if not node.parents)),
    )


def _bytes(interior: Iterable[Value], leaves: Iterable[Value]) -> int:
    """Return the size of nodes and the objects they refer to, each once, without leaf data."""
    seen = {id(leaf.data) for leaf in leaves}
    total = 0
    for node in interior:
        objects = (node, node.data, node.parents, node.local_grads, *node.local_grads)
        constants = (x for x in node.parents if isinstance(x, float))
        for x in (*objects, *constants):
            if id(x) not in seen:
                seen.add(id(x))
                total += sys.getsizeof(x)
    return total
