"""The display copy of a graph: a graph with names, as pictures and step pages show it.

It differs from the computed graph in two ways. The 0 that Python's `sum` begins with is omitted.
The maximum that softmax subtracts, a constant of the computed graph, is displayed as the maximum of
its scores, and a page computes it again when these change. Parameters are named by their positions
in layers, W₂[3,4] and b₂[3], or by their attributes, scale[2]::

    sum([x, y])                0 + x + y       →  x + y
    softmax([a, b])            exp(a - 2.0) …  →  exp(a - max(a, b)) …
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, cast

from scalargrad import ops
from scalargrad.engine.graph import fan_out, topological_order
from scalargrad.engine.multi_output import require_no_multi_output_node
from scalargrad.engine.naming import name_nodes
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError
from scalargrad.show.characters import SUBSCRIPTS, replace_invisible, typeset_label
from scalargrad.show.max_score import MaxScore, operands_for_display
from scalargrad.show.subgraphs.module_calls import Model, RecordedModel, record_calls
from scalargrad.show.weighted_sums import Row, dense_layers
from scalargrad.system.short_repr import format_value


class DisplayGraph:
    """The graph of some roots as it is displayed, with the names of its nodes.

    Parameters
    ----------
    roots : iterable of Value
        The nodes whose graph is displayed.
    model : Module or any object, optional
        The model whose attributes name the parameters.

    Attributes
    ----------
    roots : list of Value
        The displayed roots: copies, if `sum` made 0 + x in their graph.
    model : Module or None
        The model whose calls are subgraphs.
    order : list of Value
        Every node, operands before results.
    position : dict from Value to int
        The index of each node in `order`.
    reader_counts : dict from Value to int
        The number of wires from each node, which is the number of terms of its gradient.
    parameters : set of Value
        The leaves that are Parameters, or that are part of the model.
    layers : list of list of Row
        The dense layers, as lists of their units.
    parameter_names : dict from Value to str
        The names of parameters by their positions or attributes.
    names : dict from Value to str
        Labels, or v1, v2, …; the names of parameters; without invisible characters.
    """

    def __init__(self, roots: Iterable[Value], model: object = None) -> None:
        roots = list(roots)
        self._replacements = remove_initial_zeros(roots)
        self.roots = [self._replacements.get(root, root) for root in roots]
        self.model = as_model(model)
        if isinstance(self.model, RecordedModel):
            self.model.replace_nodes(self._replacements)
        self.order = display_order(*self.roots)
        self.position = {node: i for i, node in enumerate(self.order)}
        self.reader_counts = fan_out(self.order)
        paths = {} if model is None else _paths(model, self.order)
        leaves = [x for x in self.order if not x.parents]
        self.parameters = {x for x in leaves if isinstance(x, Parameter) or x in paths}
        self.layers = dense_layers(self.order, self.parameters)
        self.parameter_names = name_parameters(paths, self.layers)
        _warn_about_misspelled_labels(self.order)
        labels = name_nodes(self.order) | self.parameter_names
        self.names = {
            x: replace_invisible(typeset_label(label), lines=False) for x, label in labels.items()
        }

    def id(self, node: Value) -> str:
        """Return the id of a node in drawings; the third node in order is n2."""
        return f"n{self.position[node]}"

    def find_displayed(self, node: Value) -> Value | None:
        """Return a node of the computed graph, or its copy, as displayed; None for other nodes."""
        node = self._replacements.get(node, node)
        return node if node in self.position else None


def _warn_about_misspelled_labels(order: Iterable[Value]) -> None:
    """Warn about attributes such as ``x.lable``, which Values accept as custom attributes.

    Only a string on a node without a label counts: pictures and pages do not show it.
    """
    for node in order:
        for name, text in {} if node.label else node.__dict__.items():
            if isinstance(text, str) and text and _misspells(name.lower(), "label"):
                warnings.warn(
                    f".{name} = {format_value(text)} does not name a node: "
                    f"write .label = {format_value(text)}",
                    UserWarning,
                    stacklevel=2,
                )


def _misspells(name: str, word: str) -> bool:
    """Return True if a name has the letters of a word, in any order, or one letter more or less.

    Examples
    --------
    >>> [_misspells(x, "label") for x in ("lable", "labl", "labels", "name", "table")]
    [True, True, True, False, False]
    """
    shorter, longer = sorted([name, word], key=len)
    is_shortened = any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
    return is_shortened or sorted(name) == sorted(word)


def display_order(*roots: Value) -> list[Value]:
    """Return a topological order that follows the computation of softmax.

    Scores come before the gates that subtract their maximum; in e₂ / (e₀ + e₁ + e₂), e₂ comes after
    e₁, as the sum reads it. Other nodes are in the order of `topological_order`.
    """
    order = topological_order(*roots)
    require_no_multi_output_node(order)
    position = {node: i for i, node in enumerate(order)}
    readers, done = fan_out(order), dict[Value, None]()
    stack, needed = [*reversed(roots)], dict[Value, list[Value]]()
    while stack:
        node = stack[-1]
        if node not in needed:
            needed[node] = operands = [x for x in node.parents if isinstance(x, Value)]
            is_shared = len(operands) == 2 and operands[0].parents and readers[operands[0]] > 1
            if is_shared and _is_ancestor(operands[0], operands[1], position):
                operands.reverse()
            scores = [x for y in operands_for_display(node) for x in scores_of(y, position)]
            operands += [x for x in scores if x not in operands]
        missing = [x for x in needed[node] if x not in done]
        stack += reversed(missing)
        if not missing:
            done.setdefault(stack.pop())
    return [*done]


#: Maximum number of nodes that a search visits; otherwise the total time would be quadratic.
_MAX_VISITED = 200


def _is_ancestor(x: Value, node: Value, position: Mapping[Value, int]) -> bool:
    """Return True if a node is computed from x through a limited number of other nodes."""
    stack, seen = [node], set[Value]()
    while stack and x not in seen and len(seen) < _MAX_VISITED:
        current = stack.pop()
        if current not in seen and position[current] >= position[x]:
            seen.add(current)
            stack += [y for y in current.parents if isinstance(y, Value)]
    return x in seen


def scores_of(constant: Value | float, known: Container[Value]) -> list[Value]:
    """Return the scores of which a constant is the maximum; empty for other constants.

    Empty, too, if one of the scores is not among the `known` nodes.
    """
    if not isinstance(constant, MaxScore):
        return []
    scores = [x for x in constant.scores if isinstance(x, Value)]
    return scores if all(x in known for x in scores) else []


def format_maximum(words: Sequence[str]) -> str:
    """Return the maximum of names as text, max(a, b); of many, the first three and the last."""
    if len(words) > _MAX_NAMES:
        words = [*words[: _MAX_NAMES - 1], "…", words[-1]]
    return f"max({', '.join(words)})"


#: Maximum number of names in a maximum.
_MAX_NAMES = 4


def remove_initial_zeros(roots: Iterable[Value]) -> dict[Value, Value]:
    """Return the replacements of nodes: x for 0 + x, and a copy for each node computed from it.

    Empty if there is no such 0. Roots are not replaced by their operands.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> total = sum([x, y])
    >>> [operand.label for operand in remove_initial_zeros([total])[total].parents]
    ['x', 'y']
    """
    roots = list(roots)
    replacements: dict[Value, Value] = {}
    for node in display_order(*roots):
        before = operands_for_display(node)
        operands = tuple([_replace_operand(x, replacements) for x in before])
        if _is_start_of_sum(node) and node not in roots and isinstance(operands[1], Value):
            replacements[node] = operands[1]
        elif any(x is not y for x, y in zip(operands, before, strict=True)):
            replacements[node] = _copy_node(node, operands)
    return replacements


def _replace_operand(x: Value | float, replacements: Mapping[Value, Value]) -> Value | float:
    """Return the replacement of an operand; a MaxScore is made again from its scores' ones."""
    if isinstance(x, Value):
        return replacements.get(x, x)
    if isinstance(x, MaxScore) and any(score in replacements for score in x.scores):
        return MaxScore(x, [replacements.get(score, score) for score in x.scores])
    return x


def _is_start_of_sum(node: Value) -> bool:
    """Return True if a node is 0 + x, without a label."""
    first = node.parents[0] if node.op is ops.add else None
    return isinstance(first, float) and first == 0.0 and not node.label


def _copy_node(node: Value, parents: tuple[Value | float, ...]) -> Value:
    """Return a copy of a node with other operands."""
    copied = object.__new__(Value)
    copied.data, copied.grad, copied.label = node.data, node.grad, node.label
    copied.op, copied.parents, copied.local_grads = node.op, parents, node.local_grads
    return copied


# Names of parameters ----------------------------------------------------------------------------

#: Start of the path of a parameter in a list of layers, or in a layer of neurons.
_IN_LIST = re.compile(r"(?:(?:\w+\.)?\d+\.weight|(?:(?:\w+\.)?\d+\.)?neurons)\.")
_INDICES = re.compile(r"(?:\.\d+)+$")


def name_parameters(
    paths: Mapping[Value, str], layers: Iterable[Sequence[Row]]
) -> dict[Value, str]:
    """Return the names of parameters in a graph; none if all of them have different labels.

    In W₂[3,4], layers count from 1; the weight leads from input 4 to unit 3, from 0 as in Python.
    The bias of a layer of one unit is b₂. If parameters have paths in a model, only the layers in
    its lists are numbered; other parameters are named by their attributes.
    """
    in_layers = dict(_layer_parameter_names(layers, paths))
    others = {x: _attribute_name(path) for x, path in paths.items() if x not in in_layers}
    all_names = others | in_layers
    labels = {x.label for x in all_names}
    return {} if len(labels) == len(all_names) and "" not in labels else all_names


def _layer_parameter_name(letter: str, layer: int, *indices: int) -> str:
    position = f"[{','.join(map(str, indices))}]" if indices else ""
    return f"{letter}{str(layer).translate(SUBSCRIPTS)}{position}"


def _layer_parameter_names(
    layers: Iterable[Sequence[Row]], paths: Mapping[Value, str]
) -> Iterator[tuple[Value, str]]:
    """Yield the parameters of layers with their names, layer by layer, W₁ before b₁."""
    different: dict[tuple[Any, ...], Sequence[Row]] = {}
    for rows in layers:
        if all(_IN_LIST.match(paths.get(w, "0.weight.")) for w in rows[0].weights):
            different.setdefault(tuple(row.weights for row in rows), rows)
    for i, rows in enumerate(different.values(), 1):
        for j, row in enumerate(rows):
            for k, weight in enumerate(row.weights):
                yield weight, _layer_parameter_name("W", i, j, k)
        for j, row in enumerate(rows):
            if row.bias is not None:
                indices = [j] if len(rows) > 1 else []
                yield row.bias, _layer_parameter_name("b", i, *indices)


def _paths(model: object, order: Sequence[Value]) -> dict[Value, str]:
    """Return the paths of the nodes that are part of a model."""
    module = as_model(model)
    values = _values_in(model) if module is None else module.named_parameters()
    present = set(order)
    return {value: path for path, value in values if value in present}


def _attribute_name(path: str) -> str:
    """Return the name of a parameter by its path: wte[3,4] for wte.3.4.

    Examples
    --------
    >>> _attribute_name("wte.3.4"), _attribute_name("scale"), _attribute_name("0.1")
    ('wte[3,4]', 'scale', '0[1]')
    """
    return _INDICES.sub(lambda match: f"[{match[0][1:].replace('.', ',')}]", path)


#: Number of layers that are named by letters, a to v; x and y are inputs and outputs.
_LETTER_LAYERS = 22


def unit_name(layer: int, index: int, deepest: int, outputs: int) -> str:
    """Return the name of a unit: x₀ for an input, a₀ and b₀ in hidden layers, y for an output.

    Examples
    --------
    >>> [unit_name(layer, 10, 3, 1) for layer in range(4)]
    ['x₁₀', 'a₁₀', 'b₁₀', 'y']
    """
    subscript = str(index).translate(SUBSCRIPTS)
    if layer == 0:
        return f"x{subscript}"
    if layer == deepest:
        return "y" if outputs == 1 else f"y{subscript}"
    if layer > _LETTER_LAYERS:
        return f"h{layer},{index}"
    return f"{chr(ord('a') + layer - 1)}{subscript}"


def build_graph(root: Any, model: object) -> tuple[Any, object]:
    """Return the root that is displayed, and its model; a function is called to build the graph.

    The calls of a model's modules are recorded meanwhile.
    """
    if isinstance(root, Value) or not callable(root):
        return root, model
    if _requires_arguments(root):
        raise OperandError(
            f"{format_value(root)} takes arguments: pass its result, such as f(Value(2.0)), or a "
            "function without arguments that builds the graph, such as lambda: f(Value(2.0))"
        )
    module = as_model(model)
    return (root(), model) if module is None else record_calls(root, module)


def _requires_arguments(function: Callable[..., Any]) -> bool:
    """Return True if a function cannot be called without arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # some built-in functions have no signature
        return False
    return any(
        x.default is x.empty and x.kind not in {x.VAR_POSITIONAL, x.VAR_KEYWORD} for x in parameters
    )


def as_model(model: object) -> Model | None:
    """Return a model with modules, or None for any other object with Values.

    Raises
    ------
    OperandError
        If the object contains no Value.
    """
    if model is None or (not isinstance(model, type) and hasattr(model, "named_modules")):
        return cast("Model | None", model)
    if isinstance(model, type) or not any(_values_in(model)):
        raise OperandError(
            f"model is {format_value(model)}; give the Module, or the object or dict with the "
            "Values, that the graph was computed with"
        )
    return None


def _values_in(model: object) -> Iterator[tuple[str, Value]]:
    """Yield the Values in attributes, lists, tuples and dicts of an object, with their paths."""
    stack: list[tuple[str, Any]] = [("", model)]
    seen: set[int] = set()
    while stack:
        path, part = stack.pop()
        if isinstance(part, Value):
            yield path, part
        elif id(part) not in seen and not isinstance(part, type | ModuleType | FunctionType):
            seen.add(id(part))
            inner: Any = enumerate(part) if isinstance(part, list | tuple) else ()
            inner = (
                part if isinstance(part, dict) else getattr(part, "__dict__", {})
            ).items() or inner
            stack += [(f"{path}.{key}".strip("."), x) for key, x in reversed([*inner])]
