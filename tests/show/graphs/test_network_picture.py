"""network: the picture of a multi-layer perceptron, with units as circles and weights as lines."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.show.graphs.parsing import SVG, Element, corners, elements, title

from scalargrad.errors import GraphTooLargeError
from scalargrad.nn import MLP
from scalargrad.show.graphs import network


@dataclass
class Row:
    """A neuron with weights only."""

    w: Sequence[Any]


@dataclass
class Rows:
    """A layer of neurons."""

    neurons: list[Row]


@dataclass
class Net:
    """A network that is not made of scalargrad.nn."""

    layers: list[Rows]


def net(*layers: list[list[Any]]) -> Net:
    """Return a network with the given weights by layer, neuron and input."""
    return Net([Rows([Row(w) for w in layer]) for layer in layers])


def found_in(module: Any) -> dict[str, Element]:
    """Return units and lines of the SVG by id."""
    shown = elements(network(module))
    return {id: group for id, group in shown.items() if re.fullmatch(r"u\d+-\d+(-w\d+)?", id)}


def stroke(line: Element, name: str, default: float | str = 1) -> Any:
    """Return an attribute of the path of a line."""
    return next(line.iter(f"{SVG}path")).get(name, default)


def width(line: Element) -> float:
    """Return the width of a line in points."""
    return float(stroke(line, "stroke-width"))


def test_network_draws_units_in_columns_and_weights_as_lines() -> None:
    """MLP(2, [5, 3, 1]) has 2 + 5 + 3 + 1 units and 28 lines.

    The units of a layer have one x, are in order and do not touch; all layers have one middle.
    """
    found = found_in(MLP(2, [5, 3, 1], rng=0))
    sizes = [2, 5, 3, 1]
    units = {f"u{i}-{j}" for i, size in enumerate(sizes) for j in range(size)}
    assert {id for id in found if "w" not in id} == units
    assert len(found) - len(units) == 2 * 5 + 5 * 3 + 3
    middles, columns = [], []
    for i, size in enumerate(sizes):
        places = [corners(found[f"u{i}-{j}"]) for j in range(size)]
        assert len({left for left, *_ in places}) == 1
        assert all(above[3] < below[1] for above, below in itertools.pairwise(places))
        middles.append((places[0][1] + places[-1][3]) / 2)
        columns.append(places[0][0])
    assert middles == pytest.approx([middles[0]] * 4, abs=0.05)
    assert columns == sorted(set(columns))


def test_network_draws_sign_as_colour_and_dash_and_magnitude_as_width() -> None:
    """Positive weights are solid, negative ones are dashed in another colour.

    The lines of -2, 1, 0.5 and 0 are narrower in this order, in proportion to |w|.
    """
    found = found_in(net([[-2.0, 1.0, 0.5, 0.0]]))
    lines = [found[f"u1-0-w{k}"] for k in range(4)]
    assert stroke(lines[0], "stroke") != stroke(lines[1], "stroke") == stroke(lines[2], "stroke")
    assert [stroke(line, "stroke-dasharray", "") != "" for line in lines] == [True, *[False] * 3]
    widest, half, quarter, zero = map(width, lines)
    assert zero > 0
    assert [stroke(line, "stroke-opacity") for line in lines[::3]] == ["1", "0.3"]
    assert (half - zero) / (widest - zero) == pytest.approx(0.5, abs=0.01)
    assert (quarter - zero) / (widest - zero) == pytest.approx(0.25, abs=0.01)


def test_network_draws_infinite_weights_as_wide_as_the_greatest() -> None:
    """A network of zeros has thin lines only."""
    found = found_in(net([[1.0, math.inf, -math.inf, math.nan]]))
    assert len({width(found[f"u1-0-w{k}"]) for k in range(4)}) == 1
    assert width(found_in(net([[0.0, 0.0]]))["u1-0-w0"]) < 1


def test_network_titles_name_units_and_have_all_digits_of_weights() -> None:
    """The title of a line has the exact weight, the input and the unit."""
    titles = {id: title(group) for id, group in found_in(net([[1 / 3, -0.1]], [[2.0]])).items()}
    weight = "weight from input x₀ to unit a₀ of layer 1"
    assert titles["u1-0-w0"] == f"{weight}: 0.3333333333333333"
    assert titles["u2-0-w0"] == "weight from unit a₀ of layer 1 to output y: 2.0"
    assert titles["u0-1"] == "input x₁"
    assert titles["u1-0"] == "unit a₀ of layer 1"
    assert titles["u2-0"] == "output y"


def test_network_mermaid_has_solid_and_dotted_lines(tmp_path: Path) -> None:
    """They show the sign but not the width; a network is saved like a graph."""
    picture = network(net([[0.5, -0.5]]))
    assert picture.mermaid.splitlines()[:6] == [
        "flowchart LR",
        '    u0_0["x₀"]:::input',
        '    u0_1["x₁"]:::input',
        '    u1_0(("y")):::gate',
        "    u0_0 --- u1_0",
        "    u0_1 -.- u1_0",
    ]
    lines = re.findall(r'"(u\d-\d)":e -> "(u\d-\d)"', picture.dot)
    assert lines == [("u0-0", "u1-0"), ("u0-1", "u1-0")]
    deep = re.findall(r'[(\[]"(.*)"[)\]]', network(MLP(1, [1] * 30, rng=0)).mermaid)
    assert len(deep) == len(set(deep)) == 31  # more layers than there are letters before x and y
    for suffix in ("svg", "dot", "mmd"):
        assert picture.save(tmp_path / f"net.{suffix}").stat().st_size > 0


def test_network_above_the_limit_is_an_error() -> None:
    """The limit applies to weights and to units, and the proposed limit works."""
    model = MLP(4, [5, 1], rng=0)
    with pytest.raises(GraphTooLargeError, match="limit=25"):
        network(model, limit=24)
    assert network(model, limit=25).dot
    with pytest.raises(GraphTooLargeError, match="weights"):
        network(MLP(32, [32, 8], rng=0))
    with pytest.raises(GraphTooLargeError, match="limit=8"):
        network(net([[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]]), limit=7)
