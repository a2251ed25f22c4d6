"""Names of a model's parameters by where they stand: w²₄,₃, W₂[3,4] or, of others, scale[2]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, cast

from scalargrad.errors import OperandError
from scalargrad.show.characters import LOWERED
from scalargrad.show.subgraphs import Model
from scalargrad.system.short_repr import shown
from scalargrad.value import Value

_LAYER = re.compile(r"((?:\w+\.)?\d+\.|)(weight|bias)((?:\.\d+)+)")
_NEURON = re.compile(r"layers\.(\d+)\.neurons\.(\d+)\.(?:w\.(\d+)|b)")
_INDICES = re.compile(r"(?:\.\d+)+$")
_UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def place_name(path: str, numbers: Mapping[str, str]) -> str:
    """Return the name of a parameter from its path in the model.

    Of a perceptron, weight w²₄,₃ goes to unit 4 of layer 2 from unit 3 before it, all counted
    from 1; of layers in a list, W₂[3,4] counts units from 0 as Python does. `numbers` are those of
    such layers by their paths.

    Examples
    --------
    >>> place_name("layers.1.neurons.3.w.2", {}), place_name("layers.0.neurons.0.b", {})
    ('w²₄,₃', 'b¹₁')
    >>> place_name("3.weight.3.4", {"3.": "2"}), place_name("wte.3.4", {}), place_name("scale", {})
    ('W₂[3,4]', 'wte[3,4]', 'scale')
    """
    if found := _LAYER.fullmatch(path):
        letter = "W" if found[2] == "weight" else "b"
        number = numbers[found[1]].translate(LOWERED)
        return f"{letter}{number}[{found[3][1:].replace('.', ',')}]"
    if found := _NEURON.fullmatch(path):
        layer, unit, source = (None if x is None else str(int(x) + 1) for x in found.groups())
        assert layer is not None
        assert unit is not None
        index = "" if source is None else f",{source}"
        letter = "b" if source is None else "w"
        return f"{letter}{layer.translate(_UP)}{(unit + index).translate(LOWERED)}"
    indices = _INDICES.search(path)
    if indices is None or not indices.start():
        return path
    return f"{path[: indices.start()]}[{indices[0][1:].replace('.', ',')}]"


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


def place_names(model: object, nodes: Iterable[Value]) -> dict[Value, str]:
    """Return the names of those nodes that a model holds."""
    module = module_of(model)
    held = _values_in(model) if module is None else module.named_parameters()
    present = set(nodes)
    paths = {value: path for path, value in held if value in present}
    layers = [found[1] for path in paths.values() if (found := _LAYER.fullmatch(path))]
    numbers = {layer: str(i) for i, layer in enumerate(dict.fromkeys(layers), 1)}
    return {value: place_name(path, numbers) for value, path in paths.items()}


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
