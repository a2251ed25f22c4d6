"""Names of parameters by where they stand: W₂[3,4], b₂[3] of layers or, of others, scale[2]."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from scalargrad.errors import OperandError
from scalargrad.show.characters import LOWERED
from scalargrad.show.weighted_sums import Row, dense_layers
from scalargrad.system.short_repr import shown
from scalargrad.value import Parameter, Value

if TYPE_CHECKING:
    from scalargrad.show.subgraphs import Model

#: A weight or a bias of a layer that stands in a list, or is the whole model: the layer's path, and
#: what follows.
_IN_LAYER = re.compile(r"((?:\w+\.)?\d+\.|)(weight|bias|neurons)\.(\d+)((?:\.w)?\.\d+|\.b|)")
_INDICES = re.compile(r"(?:\.\d+)+$")


def place_names(model: object, order: Sequence[Value]) -> dict[Value, str]:
    """Return the names of parameters in a graph; none where all of them have labels of their own.

    In W₂[3,4] layers count from 1; the weight leads from input 4 to unit 3, from 0 as in Python.
    The bias of a layer of one unit is b₂. Without a model, they are those of layers in the graph.
    """
    named = dict(_by_layers(order)) if model is None else _by_attributes(model, order)
    labels = {x.label for x in named}
    return {} if len(labels) == len(named) and "" not in labels else named


def _in_layer(letter: str, layer: int, *indices: int | str, alone: bool = False) -> str:
    place = "" if alone else f"[{','.join(map(str, indices))}]"
    return f"{letter}{str(layer).translate(LOWERED)}{place}"


def _by_layers(order: Sequence[Value]) -> Iterator[tuple[Value, str]]:
    """Yield the parameters of layers with their names, layer by layer, W₁ before b₁."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for rows in dense_layers(order):
        found.setdefault(tuple(row.weights for row in rows), rows)
    for i, rows in enumerate(found.values(), 1):
        for j, row in enumerate(rows):
            yield from ((w, _in_layer("W", i, j, k)) for k, w in enumerate(row.weights))
        for j, row in enumerate(rows):
            if isinstance(row.bias, Parameter):
                yield row.bias, _in_layer("b", i, j, alone=len(rows) == 1)


def _by_attributes(model: object, order: Sequence[Value]) -> dict[Value, str]:
    """Return the names of those nodes that a model holds, by their paths."""
    module = module_of(model)
    held = _values_in(model) if module is None else module.named_parameters()
    present = set(order)
    paths = {value: path for path, value in held if value in present}
    matches = {x: found for x, path in paths.items() if (found := _IN_LAYER.fullmatch(path))}
    # A plain class's own attributes weight and bias are called so.
    parts = {x: found.groups() for x, found in matches.items() if module is not None or found[1]}
    numbers = {layer: i for i, layer in enumerate(dict.fromkeys(x[0] for x in parts.values()), 1)}
    biases = {x: path for x, (path, kind, _, end) in parts.items() if kind == "bias" or end == ".b"}
    units = Counter(biases.values())
    named = {x: _attribute(path) for x, path in paths.items() if x not in parts}
    for x in sorted(parts, key=lambda x: (numbers[parts[x][0]], x in biases)):
        layer, _, unit, end = parts[x]
        if x in biases:
            named[x] = _in_layer("b", numbers[layer], unit, alone=units[layer] == 1)
        else:
            named[x] = _in_layer("W", numbers[layer], unit, *re.findall(r"\d+", end))
    return named


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
            f"model is {shown(model)}; give the Module, or the object or dict with the Values, "
            "that the graph was computed with"
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
