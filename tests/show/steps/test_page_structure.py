"""Large graphs on a step page: layers as matrices, subgraphs, bundles and repeated names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, dot, mean, square, tanh
from scalargrad import sum as add_up
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .conftest import Read, Reader
from .graphs import chain, labelled, network, shown, so_far

X = [-0.5, 0.25]


class Oracle:
    """The network of `graphs` with NumPy: its vectors and matrices, forward and backward."""

    def __init__(self, sizes: tuple[int, ...], x: list[float]) -> None:
        layers = MLP(2, list(sizes), activation="tanh", rng=1).layers
        self.w = [np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in layers]
        self.b = [np.array([[n.b.data] for n in layer.neurons]) for layer in layers]
        self.x, self.z = [np.array(x)[:, None]], []
        for i, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            self.z.append(w @ self.x[-1] + b)
            self.x.append(self.z[-1] if i == len(self.w) - 1 else np.tanh(self.z[-1]))
        self.delta = [2.0 * (self.z[-1] - 1.0)]
        for w, h in zip(self.w[:0:-1], self.x[-2:0:-1], strict=True):
            self.delta.insert(0, (w.T @ self.delta[0]) * (1.0 - h**2))


def three_layers(sizes: tuple[int, ...] = (3, 2, 1)) -> Walk:
    """Walk through a network of three layers, drawn whole."""
    return network(sizes, folded=False)


def written(matrix: Any) -> list[str]:
    """Return the numbers of a matrix row by row, formatted like the page."""
    return [shown(float(x)) for row in np.asarray(matrix) for x in row]


def lines(page: Reader) -> list[tuple[str, list[list[str]]]]:
    """Return the symbols of each line of a layer, and the numbers of each matrix in it."""
    found = page.panel.get_by_role("group", name="Matrix line").evaluate_all(
        """lines => lines.map(line => [line.firstElementChild.textContent,
        [...line.querySelectorAll("mtable")].map(table =>
        [...table.querySelectorAll("mtd")].map(cell => cell.textContent))])"""
    )
    return [(symbols.replace("\xa0", " "), numbers) for symbols, numbers in found]


def at_layer(page: Reader, stop: int) -> Reader:
    """Go to a stop of the layer view, from 1, or to the last."""
    page.view("layer")
    page.press(*["Home", *["ArrowRight"] * (stop - 1)] if stop else ["End"])
    return page


# Layers -----------------------------------------------------------------------------------------


def test_page_layer_view_has_one_stop_per_layer(read: Read) -> None:
    """Inputs, three layers, two gates, seed, two gates, three layers: twelve stops."""
    page = at_layer(read(three_layers()), 1)
    said = []
    for _ in range(12):
        said.append(page.says)
        page.press("ArrowRight")
    assert page.at == "12/12"
    assert said[0].startswith("inputs")
    for k in (1, 2, 3):
        assert said[k].startswith(f"forward: layer {k}")
        assert said[-k].startswith(f"backward: layer {k}")


def test_page_layer_matrices_equal_those_of_numpy(read: Read) -> None:
    """Forward z = W x + b and tanh(z), back Wᵀδ ∘ tanh′(z), δxᵀ, δ, Wᵀδ; at other inputs too."""
    page, x = read(three_layers()), X
    for _ in range(2):
        oracle = Oracle((3, 2, 1), x)
        w, b, z, h, delta = oracle.w, oracle.b, oracle.z, oracle.x, oracle.delta
        assert lines(at_layer(page, 3)) == [
            ("z2=W2h1+b2", [*map(written, (w[1], h[1], b[1], z[1]))]),
            ("h2=tanh(z2)", [written(z[1]), written(h[2])]),
        ]
        assert "3 inputs, 2 units" in page.told
        upstream = w[2].T @ delta[2]
        assert lines(at_layer(page, 11)) == [
            ("∂L∂h2=W3Tδ3", [written(upstream)]),
            ("δ2=∂L∂z2=(W3Tδ3)∘tanh′(z2)", [*map(written, (upstream, 1.0 - h[2] ** 2, delta[1]))]),
            ("∂L∂W2=δ2h1T", [*map(written, (delta[1], h[1].T, delta[1] @ h[1].T))]),
            ("∂L∂b2=δ2", [written(delta[1])]),
            ("∂L∂h1=W2Tδ2", [*map(written, (w[1].T, delta[1], w[1].T @ delta[1]))]),
        ]
        page.press("End")
        first = delta[0] @ h[0].T
        gradients = [gradient for _, gradient in page.nodes.values()]
        assert all(number in gradients for number in written(first))
        x = [2.0, 0.25]
        page.set(x0=x[0], x1=x[1])


@pytest.mark.parametrize(
    ("w", "x", "forward", "backward"),
    [
        ([4.0, 2.0], [0.0, 0.0], "==", "===="),  # tanh(0) is 0
        ([40.0, 10.0], [1.0, 2.0], "=≈", "=≈≈≈"),  # tanh(60) is not 1, and its slope is 3e-52
        ([40.0, 0.5], [1e18, 1.0], "=≈", "===="),  # 40·1e18 + ½ is 4e19 to twelve digits
        ([4.0, 0.5], [0.0, 1.0], "=≈", "===≈"),  # ½·0.7864 is 0.3932, 8 times that not 3.146
    ],
)
def test_page_layer_signs_are_equal_only_for_exact_products(
    w: list[float], x: list[float], forward: str, backward: str, read: Read
) -> None:
    """= needs every entry of a matrix product to be exact at the displayed numbers."""
    inputs = [Value(number, f"x{i}") for i, number in enumerate(x)]
    page = read(walk(mean([tanh(dot(map(Parameter, w), inputs)) for _ in range(2)])))
    for stop, signs in ((2, forward), (0, backward)):
        at_layer(page, stop)
        numbers = page.panel.locator(".matrices").all_text_contents()
        assert "".join(re.findall(r"[=≈]", "".join(numbers))) == signs


def test_page_layer_view_counts_layers_at_the_seed(read: Read) -> None:
    """Inputs feed a layer once, whatever its units; a node with two readers has two terms."""
    page = at_layer(read(three_layers()), 7)
    assert page.says.startswith("seed")
    assert "feeds" not in page.says
    page.view("wire")
    assert "x0 feeds 3 gates; ∂L/∂x0 needs 3 terms" in page.says
    x = [Value(number, f"x{i}") for i, number in enumerate(X)]
    twice = [tanh(dot([Parameter(0.5), Parameter(i + 1.0)], x)) for i in range(2)]
    again = [tanh(dot([Parameter(1.5), Parameter(i - 2.0)], [*twice])) for i in range(2)]
    page = read(
        walk(labelled(add_up([*again, *(a * b for a, b in zip(x, twice, strict=True))]), "f"))
    )
    page.view("layer")
    while not page.says.startswith("seed"):
        page.press("ArrowRight")
    assert "x0 feeds 1 layer and 1 gate; ∂f/∂x0 needs 2 terms" in page.says


# Subgraphs --------------------------------------------------------------------------------------


def path(page: Reader) -> str:
    """Return the path of the open subgraph."""
    found = page.page.get_by_role("navigation", name="Subgraphs").locator("li").all_text_contents()
    return " › ".join(part.strip(" ›") for part in found)


@pytest.mark.parametrize(("make", "limit"), [(network, 10), (lambda: chain(60), 30)])
def test_page_opens_the_drawing_of_each_step(make: Any, limit: int, read: Read) -> None:
    """The product and the numbers of a wire are in the open drawing."""
    steps = make()
    page = read(steps, limit=limit)
    page.view("wire")
    places = set()
    for position, step in enumerate(steps, 1):
        places.add(path(page))
        drawn = " ".join(page.drawn)
        if step.phase == "forward" and step.node is not None:
            assert shown(step.node.data) in drawn
        if step.parent is not None:
            assert page.chip.split()[::4][:2] == [shown(step.upstream), shown(step.contribution)]
            assert so_far(step) in drawn
        page.press("ArrowRight")
        if position < len(steps) and len(places) > 1:
            assert f"In {path(page)}" in page.told
    assert len(places) > 2


# Bundles and repeated names ---------------------------------------------------------------------


def test_page_of_two_thousand_nodes_can_be_used(read: Read) -> None:
    """The last step and a changed input are right; the inputs listed are those in the drawing."""
    model = MLP(16, [32, 32, 1], activation="tanh", rng=1)
    x = [Value(0.1 * i, f"x{i}") for i in range(16)]

    def build() -> Value:
        penalty = add_up([square(p) for p in model.layers[1].parameters()[:200]])
        return labelled(square(model(x) - 1.0) + penalty * 0.01, "J")

    steps = walk(build(), model=model)
    page = read(steps)
    assert page.page.get_by_text(re.compile(r"^\d+ of \d+ inputs")).is_visible()
    page.press("End")
    assert len({*page.at.split("/")}) == 1
    page.set(x0=2.0)
    x[0].data = 2.0
    output = page.page.evaluate("scalargrad.numbers().data.at(-1)")
    assert output == pytest.approx(build().data, rel=1e-12)
