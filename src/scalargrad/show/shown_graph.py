"""The graph that is shown: with names, softmax's maximum as an input, no 0 of Python's `sum`.

In a graph that maximum is a plain number, held constant. Pictures and step pages name the scores it
was taken from, and compute it again when these change. Parameters are named by where they stand:
W₂[3,4], b₂[3] of layers or, of others, scale[2].
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from scalargrad import ops
from scalargrad.engine.graph import fan_out, topological_order
from scalargrad.engine.multi_output import require_no_multi_output_node
from scalargrad.engine.naming import names
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError
from scalargrad.show.characters import LOWERED, printed, visible
from scalargrad.show.max_score import MaxScore, shown_operands
from scalargrad.show.weighted_sums import Row, dense_layers
from scalargrad.system.short_repr import format_value

if TYPE_CHECKING:
    from scalargrad.show.subgraphs.calls import Model


class ShownGraph:
    """The graph under some nodes as it is shown, and what each node is called.

    Parameters
    ----------
    roots : iterable of Value
        What is shown, with all it was computed from.
    model : Module or any object, optional
        Names parameters by where they stand in it.

    Attributes
    ----------
    roots : list of Value
        Copies, as all above them, where Python's `sum` made 0 + x below.
    model : Module or None
        What the graph can be folded by.
    order : list of Value
        Every node, operands before results.
    place : dict from Value to int
        The position of each in `order`.
    readers : dict from Value to int
        How many wires leave each node, which is the number of terms in its gradient.
    parameters : set of Value
        The leaves that are Parameters, or that the model holds.
    layers : list of list of Row
        The dense layers in it, as their units.
    places : dict from Value to str
        The names of parameters by where they stand.
    names : dict from Value to str
        Labels, or v1, v2, …, and of parameters their places; without characters that would move
        the cursor or hide.
    """

    def __init__(self, roots: Iterable[Value], model: object = None) -> None:
        roots = list(roots)
        self._stand_ins = without_zeros(roots)
        self.roots = [self._stand_ins.get(root, root) for root in roots]
        self.model = module_of(model)
        self.order = shown_order(*self.roots)
        self.place = {node: i for i, node in enumerate(self.order)}
        self.readers = fan_out(self.order)
        paths = {} if model is None else _paths(model, self.order)
        leaves = [x for x in self.order if not x.parents]
        self.parameters = {x for x in leaves if isinstance(x, Parameter) or x in paths}
        self.layers = dense_layers(self.order, self.parameters)
        self.places = place_names(paths, self.layers)
        _warn_of_misspelt_labels(self.order)
        called = names(self.order) | self.places
        self.names = {x: visible(printed(name), lines=False) for x, name in called.items()}

    def id(self, node: Value) -> str:
        """Return the id of a node in drawings, n2 for the third in order."""
        return f"n{self.place[node]}"

    def standing_for(self, node: Value) -> Value | None:
        """Return the node shown for one of the graph, itself or its copy; None for others."""
        node = self._stand_ins.get(node, node)
        return node if node in self.place else None


def _warn_of_misspelt_labels(order: Iterable[Value]) -> None:
    """Warn of attributes such as ``x.lable``, which Values accept as a user's own.

    Only a text on a node without a label counts; a page or picture would not show it.
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


def _misspells(written: str, word: str) -> bool:
    """Return True if a word has the letters of another, in any order, or one more or less.

    Examples
    --------
    >>> [_misspells(x, "label") for x in ("lable", "labl", "labels", "name", "table")]
    [True, True, True, False, False]
    """
    shorter, longer = sorted([written, word], key=len)
    is_shortened = any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
    return is_shortened or sorted(written) == sorted(word)


def shown_order(*roots: Value) -> list[Value]:
    """Return a topological order in which what a gate reads comes in the order of its making.

    Scores come before the gates that hold their maximum, and e₂ in e₂ / (e₀ + e₁ + e₂) where the
    sum reads it. Otherwise it is the order of `topological_order`.
    """
    order = topological_order(*roots)
    require_no_multi_output_node(order)
    place = {node: i for i, node in enumerate(order)}
    readers, done = fan_out(order), dict[Value, None]()
    stack, reads = [*reversed(roots)], dict[Value, list[Value]]()
    while stack:
        node = stack[-1]
        if node not in reads:
            reads[node] = read = [x for x in node.parents if isinstance(x, Value)]
            is_shared = len(read) == 2 and read[0].parents and readers[read[0]] > 1
            if is_shared and _leads_to(read[0], read[1], place):
                read.reverse()
            held = (x for operand in shown_operands(node) for x in scores_of(operand, place))
            read += [x for x in held if x not in read]
        missing = [x for x in reads[node] if x not in done]
        stack += reversed(missing)
        if not missing:
            done.setdefault(stack.pop())
    return [*done]


#: So many nodes are looked at, lest the time for all grow with the square of their number.
_NEAR = 200


def _leads_to(x: Value, node: Value, place: Mapping[Value, int]) -> bool:
    """Return whether a node is computed from x by a few others."""
    ahead, seen = [node], set[Value]()
    while ahead and x not in seen and len(seen) < _NEAR:
        met = ahead.pop()
        if met not in seen and place[met] >= place[x]:
            seen.add(met)
            ahead += [y for y in met.parents if isinstance(y, Value)]
    return x in seen


def scores_of(held: Value | float, known: Container[Value]) -> list[Value]:
    """Return the Values whose maximum a constant is; empty if it is none, or one is unknown."""
    if not isinstance(held, MaxScore):
        return []
    scores = [x for x in held.scores if isinstance(x, Value)]
    return scores if all(x in known for x in scores) else []


def largest_of(words: Sequence[str]) -> str:
    """Write the maximum of names, max(a, b); of many, the first three and the last."""
    shown = words if len(words) <= _MOST else [*words[: _MOST - 1], "…", words[-1]]
    return f"max({', '.join(shown)})"


_MOST = 4


def without_zeros(roots: Iterable[Value]) -> dict[Value, Value]:
    """Return what stands for each node that is shown otherwise: x for 0 + x, copies above it.

    Empty where there is no such 0.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> total = sum([x, y])
    >>> [operand.label for operand in without_zeros([total])[total].parents]
    ['x', 'y']
    """
    roots = list(roots)
    found: dict[Value, Value] = {}
    for node in shown_order(*roots):
        operands = shown_operands(node)
        now = tuple([_standing_for(x, found) for x in operands])
        if _starts_a_sum(node) and node not in roots and isinstance(now[1], Value):
            found[node] = now[1]
        elif any(x is not y for x, y in zip(now, operands, strict=True)):
            found[node] = _copied(node, now)
    return found


def _standing_for(x: Value | float, found: Mapping[Value, Value]) -> Value | float:
    """Return what stands for an operand; of the maximum of scores, that of what stands for them."""
    if isinstance(x, Value):
        return found.get(x, x)
    if isinstance(x, MaxScore) and any(score in found for score in x.scores):
        return MaxScore(x, [found.get(score, score) for score in x.scores])
    return x


def _starts_a_sum(node: Value) -> bool:
    first = node.parents[0] if node.op is ops.add else None
    return isinstance(first, float) and first == 0.0 and not node.label


def _copied(node: Value, parents: tuple[Value | float, ...]) -> Value:
    made = object.__new__(Value)
    made.data, made.grad, made.label = node.data, node.grad, node.label
    made.op, made.parents, made.local_grads = node.op, parents, node.local_grads
    return made


# Names of parameters ----------------------------------------------------------------------------

#: How the path of a parameter in a list of layers begins, or of a layer of neurons.
_IN_LIST = re.compile(r"(?:(?:\w+\.)?\d+\.weight|(?:(?:\w+\.)?\d+\.)?neurons)\.")
_INDICES = re.compile(r"(?:\.\d+)+$")


def place_names(paths: Mapping[Value, str], layers: Iterable[Sequence[Row]]) -> dict[Value, str]:
    """Return the names of parameters in a graph; none where all of them have labels of their own.

    In W₂[3,4] layers count from 1; the weight leads from input 4 to unit 3, from 0 as in Python.
    The bias of a layer of one unit is b₂. Of a model, by the paths in which it holds them, these
    are the layers in its lists; what else it holds is called as its attributes are.
    """
    in_layers = dict(_by_layers(layers, paths))
    others = {x: _attribute(path) for x, path in paths.items() if x not in in_layers}
    named = others | in_layers
    labels = {x.label for x in named}
    return {} if len(labels) == len(named) and "" not in labels else named


def _in_layer(letter: str, layer: int, *indices: int, alone: bool = False) -> str:
    place = "" if alone else f"[{','.join(map(str, indices))}]"
    return f"{letter}{str(layer).translate(LOWERED)}{place}"


def _by_layers(
    layers: Iterable[Sequence[Row]], paths: Mapping[Value, str]
) -> Iterator[tuple[Value, str]]:
    """Yield the parameters of layers with their names, layer by layer, W₁ before b₁."""
    found: dict[tuple[Any, ...], Sequence[Row]] = {}
    for rows in layers:
        if all(_IN_LIST.match(paths.get(w, "0.weight.")) for w in rows[0].weights):
            found.setdefault(tuple(row.weights for row in rows), rows)
    for i, rows in enumerate(found.values(), 1):
        for j, row in enumerate(rows):
            yield from ((w, _in_layer("W", i, j, k)) for k, w in enumerate(row.weights))
        for j, row in enumerate(rows):
            if row.bias is not None:
                yield row.bias, _in_layer("b", i, j, alone=len(rows) == 1)


def _paths(model: object, order: Sequence[Value]) -> dict[Value, str]:
    """Return the paths of those nodes that a model holds."""
    module = module_of(model)
    held = _values_in(model) if module is None else module.named_parameters()
    present = set(order)
    return {value: path for path, value in held if value in present}


def _attribute(path: str) -> str:
    """Return the name of a parameter from its path: wte[3,4] for wte.3.4.

    Examples
    --------
    >>> _attribute("wte.3.4"), _attribute("scale"), _attribute("0.1")
    ('wte[3,4]', 'scale', '0[1]')
    """
    return _INDICES.sub(lambda found: f"[{found[0][1:].replace('.', ',')}]", path)


_LETTERS = 22  # layers called a to v, before x and y


def unit_name(layer: int, place: int, deepest: int, outputs: int) -> str:
    """Name a unit: x₀, x₁ are inputs, a₀ … the first layer, b₀ … the second, y outputs.

    Examples
    --------
    >>> [unit_name(layer, 10, 3, 1) for layer in range(4)]
    ['x₁₀', 'a₁₀', 'b₁₀', 'y']
    """
    index = str(place).translate(LOWERED)
    if layer == 0:
        return f"x{index}"
    if layer == deepest:
        return "y" if outputs == 1 else f"y{index}"
    return f"{chr(ord('a') + layer - 1)}{index}" if layer <= _LETTERS else f"h{layer},{place}"


def module_of(model: object) -> Model | None:
    """Return a model by whose modules a graph can be folded; None for any other object.

    Raises
    ------
    OperandError
        If no Value is in it.
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
    ahead: list[tuple[str, Any]] = [("", model)]
    seen: set[int] = set()
    while ahead:
        path, part = ahead.pop()
        if isinstance(part, Value):
            yield path, part
        elif id(part) not in seen and not isinstance(part, type | ModuleType | FunctionType):
            seen.add(id(part))
            inner: Any = enumerate(part) if isinstance(part, list | tuple) else ()
            inner = (
                part if isinstance(part, dict) else getattr(part, "__dict__", {})
            ).items() or inner
            ahead += [(f"{path}.{key}".strip("."), x) for key, x in reversed([*inner])]
