"""network: the picture of a multi-layer perceptron."""

from __future__ import annotations

import itertools
import math
import random
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Value
from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.nn import MLP
from scalargrad.show.graphs import network

SVG = "{http://www.w3.org/2000/svg}"
BLUE, ORANGE = "#0b5cad", "#b34700"


@dataclass
class Row:
    """A neuron that has weights and nothing else."""

    w: Sequence[Any]


@dataclass
class Rows:
    """A layer of neurons."""

    neurons: list[Row]


@dataclass
class Net:
    """Layers, and nothing of scalargrad.nn."""

    layers: list[Rows]


def net(*layers: list[list[Any]]) -> Net:
    """Return a network with the given weights by layer, neuron and input."""
    return Net([Rows([Row(w) for w in layer]) for layer in layers])


def groups(module: Any) -> dict[str, ET.Element]:
    """Return units and lines of the SVG by id."""
    svg = ET.fromstring(network(module).svg())
    return {g.attrib["id"]: g for g in svg.iter(f"{SVG}g") if g.get("class") in {"node", "edge"}}


def stroke(line: ET.Element) -> ET.Element:
    """Return the path of a line."""
    return next(line.iter(f"{SVG}path"))


def width(line: ET.Element) -> float:
    """Return the width of a line in points; 1 is what SVG assumes."""
    return float(stroke(line).get("stroke-width", 1))


def centre(unit: ET.Element) -> tuple[float, float]:
    """Return the middle of a unit."""
    ellipse = next(unit.iter(f"{SVG}ellipse"))
    return float(ellipse.attrib["cx"]), float(ellipse.attrib["cy"])


def test_mlp_has_its_units_and_weights() -> None:
    """MLP(2, [3, 1]) has 2 + 3 + 1 units and 2·3 + 3·1 lines."""
    found = groups(MLP(2, [3, 1]))
    units = sorted(id for id in found if "w" not in id)
    assert units == ["u0-0", "u0-1", "u1-0", "u1-1", "u1-2", "u2-0"]
    assert len(found) - len(units) == 9


def test_any_layers_of_neurons_can_be_drawn() -> None:
    """Weights may be numbers, and nothing of scalargrad.nn is needed."""
    assert repr(network(net([[1.0]]))) == "<Picture: Network of 1 and 1 units: 1 weight>"
    assert network(net([[Value(0.5)]])).dot == network(net([[0.5]])).dot


def test_sign_is_colour_and_dash() -> None:
    """Positive weights are solid blue, negative ones dashed orange."""
    found = groups(net([[0.5, -0.5]]))
    positive, negative = stroke(found["u1-0-w0"]), stroke(found["u1-0-w1"])
    assert positive.attrib["stroke"] == BLUE
    assert negative.attrib["stroke"] == ORANGE
    assert "stroke-dasharray" in negative.attrib
    assert "stroke-dasharray" not in positive.attrib


def test_width_grows_with_magnitude_alone() -> None:
    """Of -2, 1, 0.5 and 0 each is narrower than the one before, in proportion to |w|."""
    found = groups(net([[-2.0, 1.0, 0.5, 0.0]]))
    widest, half, quarter, zero = (width(found[f"u1-0-w{k}"]) for k in range(4))
    assert widest > half > quarter > zero > 0
    assert (half - zero) / (widest - zero) == pytest.approx(0.5, abs=0.01)
    assert (quarter - zero) / (widest - zero) == pytest.approx(0.25, abs=0.01)


def test_extreme_weights_can_be_drawn() -> None:
    """What is not finite is as wide as the greatest finite weight; zeros alone are thin."""
    found = groups(net([[1.0, math.inf, -math.inf, math.nan]]))
    assert len({width(found[f"u1-0-w{k}"]) for k in range(4)}) == 1
    assert width(groups(net([[0.0, 0.0]]))["u1-0-w0"]) < 1


def test_layers_are_columns_and_centred() -> None:
    """Units of a layer share one x and are in order; layers share the middle of their ys."""
    found = groups(MLP(2, [5, 3, 1]))
    middles = []
    for i, size in enumerate([2, 5, 3, 1]):
        places = [centre(found[f"u{i}-{j}"]) for j in range(size)]
        assert len({x for x, _ in places}) == 1
        ys = [y for _, y in places]
        assert ys == sorted(ys)
        middles.append((ys[0] + ys[-1]) / 2)
    assert middles == pytest.approx([middles[0]] * 4, abs=0.05)
    columns = [centre(found[f"u{i}-0"])[0] for i in range(4)]
    assert columns == sorted(set(columns))


def test_no_two_units_overlap() -> None:
    """In a layer of 20 the middles of neighbours are farther apart than a unit is wide."""
    found = groups(net([[1.0] for _ in range(20)]))
    ellipse = next(found["u1-0"].iter(f"{SVG}ellipse"))
    ys = [centre(found[f"u1-{j}"])[1] for j in range(20)]
    apart = min(b - a for a, b in itertools.pairwise(ys))
    assert apart > 2 * float(ellipse.attrib["ry"])


def test_titles_name_units_and_give_weights_in_full() -> None:
    """A pointer or screen reader gets the exact weight, from which input and to which unit."""
    found = groups(net([[1 / 3, -0.1]], [[2.0]]))
    titles = {id: group.findtext(f"{SVG}title") for id, group in found.items()}
    weight = "weight from input x₀ to unit a₀ of layer 1"
    assert titles["u1-0-w0"] == f"{weight}: 0.3333333333333333"
    assert titles["u2-0-w0"] == "weight from unit a₀ of layer 1 to output y: 2.0"
    assert titles["u0-1"] == "input x₁"
    assert titles["u1-0"] == "unit a₀ of layer 1"
    assert titles["u2-0"] == "output y"


def test_legend_explains_sign_and_width() -> None:
    """Below the picture stand both signs and the greatest magnitude."""
    root = ET.fromstring(network(net([[0.25, -0.75]])).svg())
    said = " ".join("".join(e.itertext()) for e in root.iter(f"{SVG}text")).replace("\xa0", " ")
    for part in ("w > 0", "w < 0", "at most 0.75"):
        assert part in said


def test_equal_seeds_give_equal_text() -> None:
    """DOT and Mermaid depend on the weights alone."""

    def build() -> Any:
        random.seed(5)
        return network(MLP(3, [4, 2]))

    assert build().dot == build().dot
    assert build().mermaid == build().mermaid


def test_mermaid_has_solid_and_dotted_lines() -> None:
    """Mermaid shows the sign, and leaves the width out."""
    text = network(net([[0.5, -0.5]])).mermaid
    assert text.splitlines() == [
        "flowchart LR",
        '    u0_0(("x₀"))',
        '    u0_1(("x₁"))',
        '    u1_0(("y"))',
        "    u0_0 --- u1_0",
        "    u0_1 -.- u1_0",
    ]


@pytest.mark.parametrize(
    "suffix",
    [
        "svg",
        pytest.param("png", marks=pytest.mark.bitmaps),
        pytest.param("pdf", marks=pytest.mark.bitmaps),
        "dot",
        "mmd",
    ],
)
def test_saved_in_every_format(suffix: str, tmp_path: Path) -> None:
    """A network is saved like a graph."""
    assert network(net([[1.0]])).save(tmp_path / f"net.{suffix}").stat().st_size > 0


def test_large_network_is_refused() -> None:
    """Over the limit the message has both counts and a remedy, and the remedy works."""
    model = MLP(4, [5, 1])
    with pytest.raises(GraphTooLargeError, match=r"10 units and 25 weights.*limit=25"):
        network(model, limit=24)
    assert network(model, limit=25).dot
    with pytest.raises(GraphTooLargeError, match="1,280 weights"):
        network(MLP(32, [32, 8]))


@pytest.mark.parametrize("module", [3.0, net([["heavy"]]), Net([Rows([Row(1)])])])  # type: ignore[arg-type]
def test_what_has_no_weights_is_refused(module: Any) -> None:
    """The message names the type and what it lacks."""
    with pytest.raises(OperandError, match=f"{type(module).__name__} cannot be drawn as a network"):
        network(module)


@pytest.mark.parametrize("module", [net(), net([]), net([[]]), net([[1.0]], [])])
def test_empty_network_is_refused(module: Any) -> None:
    """No layers, no units or no inputs make no picture."""
    with pytest.raises(OperandError, match="has no layers, or one without units or inputs"):
        network(module)


@pytest.mark.parametrize(
    ("module", "where"),
    [
        (
            net([[1.0], [1.0, 2.0]]),
            r"layers\[0\].neurons\[1\] has 2 weights, and before it is 1 unit:",
        ),
        (
            net([[1.0]], [[1.0, 2.0]]),
            r"layers\[1\].neurons\[0\] has 2 weights, and before it is 1 unit:",
        ),
    ],
)
def test_weights_must_match_the_units_before(module: Any, where: str) -> None:
    """A neuron with a weight too many is named."""
    with pytest.raises(OperandError, match=where):
        network(module)


def test_weights_of_a_crowded_layer_are_fainter_the_smaller_they_are() -> None:
    """Among sixteen units a tenth of the greatest weight has less ink, among four as much."""
    crowded = groups(net([[1.0, 0.1]] * 16))
    strong, weak = (
        float(stroke(crowded[id]).get("stroke-opacity", 1)) for id in ("u1-0-w0", "u1-0-w1")
    )
    assert strong == 1.0
    assert 0.3 <= weak < 0.5
    few = groups(net([[1.0, 0.1]] * 4))
    assert all("stroke-opacity" not in stroke(line).attrib for id, line in few.items() if "w" in id)
