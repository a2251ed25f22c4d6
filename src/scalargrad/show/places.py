"""Names of a model's parameters by where they stand: w²₄,₃ or, as PyTorch has it, weight[3, 4]."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scalargrad.errors import OperandError
from scalargrad.show.subgraphs import Model
from scalargrad.system.one_line import shown
from scalargrad.value import Value

_NEURON = re.compile(r"layers\.(\d+)\.neurons\.(\d+)\.(?:w\.(\d+)|b)")
_INDICES = re.compile(r"(?:\.\d+)+$")
_UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOWN = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def place_name(path: str) -> str:
    """Return the name of a parameter from its path in the model.

    Of a perceptron, weight w²₄,₃ goes to unit 4 of layer 2 from unit 3 before it, all counted
    from 1; of other modules, `weight[3, 4]` counts from 0 as Python does.

    Examples
    --------
    >>> place_name("layers.1.neurons.3.w.2"), place_name("layers.0.neurons.0.b")
    ('w²₄,₃', 'b¹₁')
    >>> place_name("layers.1.weight.3.4"), place_name("scale")
    ('layers.1.weight[3, 4]', 'scale')
    """
    if found := _NEURON.fullmatch(path):
        layer, unit, source = (None if x is None else str(int(x) + 1) for x in found.groups())
        assert layer is not None
        assert unit is not None
        index = "" if source is None else f",{source}"
        letter = "b" if source is None else "w"
        return f"{letter}{layer.translate(_UP)}{(unit + index).translate(_DOWN)}"
    indices = _INDICES.search(path)
    if indices is None or not indices.start():
        return path
    return f"{path[: indices.start()]}[{indices[0][1:].replace('.', ', ')}]"


_LETTERS = 22  # layers called a to v, before x and y


def unit_name(layer: int, place: int, deepest: int, outputs: int) -> str:
    """Name a unit: x₀, x₁ are inputs, a₀ … the first layer, b₀ … the second, y outputs.

    Examples
    --------
    >>> [unit_name(layer, 10, 3, 1) for layer in range(4)]
    ['x₁₀', 'a₁₀', 'b₁₀', 'y']
    """
    index = str(place).translate(_DOWN)
    if layer == 0:
        return f"x{index}"
    if layer == deepest:
        return "y" if outputs == 1 else f"y{index}"
    return f"{chr(ord('a') + layer - 1)}{index}" if layer <= _LETTERS else f"h{layer},{place}"


def module_or_none(model: Model | None) -> Model | None:
    """Return the model whose parameters are to be named.

    Raises
    ------
    OperandError
        If it is not a module.
    """
    if model is None or (
        not isinstance(model, type) and callable(getattr(model, "named_modules", None))
    ):
        return model
    raise OperandError(f"model is {shown(model)}; give the Module that the graph was computed with")


def place_names(model: Model | None, nodes: Iterable[Value]) -> dict[Value, str]:
    """Return the names of those nodes that are parameters of a model."""
    if model is None:
        return {}
    present = set(nodes)
    return {p: place_name(path) for path, p in model.named_parameters() if p in present}
