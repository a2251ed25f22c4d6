"""The layer view: one step is one layer, and its matrices are those of NumPy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, dot, exp, mean, square, tanh
from scalargrad.experiments.demo import chain_rule
from scalargrad.nn import MLP
from scalargrad.show.number_format import number
from scalargrad.show.steps import Walk, walk

SIZES = [3, 2, 1]
X = [0.5, -1.0]


def network(sizes: list[int] = SIZES) -> tuple[Walk, MLP]:
    """Walk through the squared error of a network."""
    model = MLP(len(X), sizes, activation="tanh", rng=1)
    loss = square(model([Value(x, f"x{i}") for i, x in enumerate(X)]) - 1.0)
    loss.label = "L"
    return walk(loss), model


class Oracle:
    """The same network with NumPy: its vectors and matrices, forward and backward."""

    def __init__(self, model: MLP, x: list[float] = X) -> None:
        self.w = [
            np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in model.layers
        ]
        self.b = [np.array([[n.b.data] for n in layer.neurons]) for layer in model.layers]
        self.x, self.z = [np.array(x)[:, None]], []
        for i, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            self.z.append(w @ self.x[-1] + b)
            self.x.append(self.z[-1] if i == len(self.w) - 1 else np.tanh(self.z[-1]))
        self.delta = [2.0 * (self.z[-1] - 1.0)]
        for w, h in zip(self.w[:0:-1], self.x[-2:0:-1], strict=True):
            self.delta.insert(0, (w.T @ self.delta[0]) * (1.0 - h**2))


def shown(matrix: Any) -> list[str]:
    """Return a matrix's numbers row by row, as the page writes them."""
    return [number(float(x)).replace("-", "−") for row in np.asarray(matrix) for x in row]


def matrices(page: Any) -> list[list[list[str]]]:
    """Return, line by line, the numbers of each matrix in the panel."""
    found: list[list[list[str]]] = page.evaluate(
        """[...document.querySelectorAll("#panel .matrices")].map(line =>
        [...line.querySelectorAll("mtable")].map(table =>
        [...table.querySelectorAll("mtd")].map(cell => cell.textContent)))"""
    )
    return found


def layer_view(page: Any, step: int) -> None:
    """Switch to the layer view and go to one of its stops, from 1."""
    page.get_by_role("radio", name="layer").check()
    page.locator("#panel").focus()
    page.keyboard.press("Home")
    for _ in range(step - 1):
        page.keyboard.press("ArrowRight")


def test_one_step_is_one_layer(open_page: Any) -> None:
    """Inputs, three layers, two gates, seed, two gates, three layers: twelve stops."""
    steps, _ = network()
    page = open_page(steps)
    layer_view(page, 1)
    said = []
    for _ in range(12):
        said.append(page.locator("#panel .phase").text_content())
        page.keyboard.press("ArrowRight")
    assert page.locator("#counter").text_content() == "12/12"
    layers = ["layer 1", "layer 2", "layer 3"]
    assert said[1:4] == [f"forward: {name}" for name in layers]
    assert said[-3:] == [f"backward: {name}" for name in reversed(layers)]


def test_folds_and_layers_have_one_numbering(open_page: Any) -> None:
    """Where a step is layer 2, W₂ stands in the panel and the box Layer 2 has the halo."""
    steps, model = network()
    page = open_page(walk(steps.root, model=model), limit=20)
    layer_view(page, 3)
    assert page.locator("#panel .phase").text_content() == "forward: layer 2"
    symbols = page.locator("#panel .matrix-line > :first-child").first.text_content()
    assert symbols == "z2=W2h1+b2"
    box = page.locator(".fold", has_text="Layer 2").bounding_box()
    halo = page.locator("#underlay rect.halo").first.bounding_box()
    assert halo["x"] < box["x"] < box["x"] + box["width"] < halo["x"] + halo["width"]


def test_a_layer_forward_is_the_matrix_line_in_numbers(open_page: Any) -> None:
    """The factors and results of z = W x + b and of h = tanh(z)."""
    steps, model = network()
    page, oracle = open_page(steps), Oracle(model)
    layer_view(page, 3)
    assert matrices(page) == [
        [shown(oracle.w[1]), shown(oracle.x[1]), shown(oracle.b[1]), shown(oracle.z[1])],
        [shown(oracle.z[1]), shown(oracle.x[2])],
    ]
    assert "computes h = tanh(W x + b): 3 inputs, 2 units" in page.locator("#panel").text_content()


def test_a_layer_backward_is_delta_and_what_follows_from_it(open_page: Any) -> None:
    """Upstream Wᵀδ, δ = upstream ∘ tanh′(z), ∂L/∂W = δ xᵀ, ∂L/∂b = δ, and Wᵀδ onwards."""
    steps, model = network()
    page, oracle = open_page(steps), Oracle(model)
    layer_view(page, 11)
    w, delta, x, h = oracle.w, oracle.delta, oracle.x, oracle.x[2]
    upstream = w[2].T @ delta[2]
    assert matrices(page) == [
        [shown(upstream)],
        [shown(upstream), shown(1.0 - h**2), shown(delta[1])],
        [shown(delta[1]), shown(x[1].T), shown(delta[1] @ x[1].T)],
        [shown(delta[1])],
        [shown(w[1].T), shown(delta[1]), shown(w[1].T @ delta[1])],
    ]
    symbols = page.locator("#panel .matrix-line > :first-child").all_text_contents()
    assert symbols[0] == "∂L∂h2=W3Tδ3"
    assert symbols[1] == "δ2=∂L∂z2=(W3Tδ3)∘tanh′(z2)"


def test_gradients_of_a_layer_stand_in_the_graph_too(open_page: Any) -> None:
    """When the first layer has been passed backward, every wire has its gradient."""
    steps, model = network()
    page, oracle = open_page(steps), Oracle(model)
    layer_view(page, 12)
    first = oracle.delta[0] @ oracle.x[0].T
    for j, neuron in enumerate(model.layers[0].neurons):
        for i, w in enumerate(neuron.w):
            place = steps.scene.order.index(w)
            assert page.locator(f"#n{place}-gradient").text_content() == shown([[first[j][i]]])[0]


def test_layers_can_be_gone_through_in_any_drawing(open_page: Any) -> None:
    """Forward, seed and back, with the drawing that is open left where it is."""
    steps, model = network()
    page = open_page(walk(steps.root, model=model), limit=10)
    page.get_by_role("radio", name="layer").check()
    page.locator("#follow").click()
    for opened in range(page.evaluate("scalargrad.drawings")):
        page.locator("#panel").focus()
        page.keyboard.press("Home")
        page.evaluate("index => scalargrad.open(index)", opened)
        page.locator("#panel").focus()
        for _ in range(11):
            page.keyboard.press("ArrowRight")
        assert page.locator("#counter").text_content() == "12/12"


def test_inputs_recompute_the_matrices(open_page: Any) -> None:
    """At the layer one is at."""
    steps, model = network()
    page = open_page(steps)
    layer_view(page, 2)
    page.evaluate("scalargrad.setInputs({x0: 2, x1: 0.25})")
    oracle = Oracle(model, [2.0, 0.25])
    assert matrices(page)[1][-1] == shown(oracle.x[1])


def test_a_large_matrix_says_how_much_of_it_is_shown_and_can_be_shown_whole(open_page: Any) -> None:
    """Four rows and columns of 16 × 16, and at a click all 256 numbers."""
    steps, model = network([16, 16, 1])
    page, oracle = open_page(steps), Oracle(model)
    layer_view(page, 3)
    assert "16 × 16, first 4 shown" in page.locator("#panel").text_content()
    cut = [cell for cell in matrices(page)[0][0] if cell not in {"⋯", "⋮"}]
    assert cut == shown(oracle.w[1][:4, :4])
    page.locator("#whole").check()
    assert matrices(page)[0][0] == shown(oracle.w[1])
    assert "shown" not in page.locator(".matrix-line").first.text_content()
    assert page.evaluate("document.activeElement.id") == "whole"


def test_a_layer_called_for_several_samples_says_which_call_it_is(open_page: Any) -> None:
    """Its weights keep their name, and each call adds a term."""
    model = MLP(2, [3, 1], activation="tanh", rng=1)
    errors = [square(model([float(k), 1.0]) - 1.0) for k in range(3)]
    page = open_page(walk(mean(errors)))
    layer_view(page, 3)
    assert "Layer 1, call 2 of 3" in page.locator("#panel").text_content()
    page.keyboard.press("End")
    assert "Other calls with these weights add terms" in page.locator("#panel").text_content()


def test_a_term_of_a_gradient_is_not_called_the_gradient(open_page: Any) -> None:
    """With a penalty on a weight, δxᵀ is what the layer adds; the graph has the sum."""
    w = [Parameter(0.5, "w0"), Parameter(-1.0, "w1")]
    x = [Value(2.0, "x0"), Value(3.0, "x1")]
    loss = tanh(w[0] * x[0] + w[1] * x[1]) + square(w[0]) * 0.1
    steps = walk(loss)
    page = open_page(steps)
    layer_view(page, 99)
    symbols = page.locator("#panel .matrix-line > :first-child").all_text_contents()
    assert [line.replace("\xa0", " ") for line in symbols[1:]] == [
        "δ1=∂v7∂z1=∂v7∂h1∘tanh′(z1)",
        "∂v7∂W1 by this layer: δ1xT",
        "∂v7∂x=W1Tδ1",
    ]
    delta = 1.0 - np.tanh(0.5 * 2.0 - 1.0 * 3.0) ** 2
    assert matrices(page)[2][-1] == shown([[delta * 2.0, delta * 3.0]])
    place = steps.scene.place[w[0]]
    assert page.locator(f"#n{place}-gradient").text_content() == shown([[delta * 2.0 + 0.1]])[0]


def test_a_logistic_unit_written_in_full_is_one_layer(open_page: Any) -> None:
    """1 / (1 + e^-z) is σ: the panel has σ's slope, (1 - σ)σ, from four gates."""
    w = [Parameter(0.5, "w0"), Parameter(-1.0, "w1")]
    z = w[0] * Value(2.0, "x0") + w[1] * Value(3.0, "x1")
    page = open_page(walk(1 / (1 + exp(-z))))
    layer_view(page, 2)
    assert "computes h = σ(W x): 2 inputs, 1 unit" in page.locator("#panel").text_content()
    page.keyboard.press("End")
    y = 1 / (1 + np.exp(2.0))
    assert matrices(page)[1][1:] == [shown([[(1 - y) * y]]), shown([[(1 - y) * y]])]


@pytest.mark.parametrize(
    ("spell", "name", "slope"),
    [
        (lambda z: z / (1 + exp(-z)), "SiLU", lambda z, y: y + z * y * (1 - y)),
        (lambda z: exp(z) / (1 + exp(z)), "σ", lambda z, y: y * (1 - y)),
    ],
)
def test_the_slope_of_a_unit_adds_up_over_all_ways(
    spell: Any, name: str, slope: Any, open_page: Any
) -> None:
    """Where the weighted sum is read twice, as in z / (1 + e^-z), both ways count."""
    w = [Parameter(0.5, "w0"), Parameter(-1.0, "w1")]
    page = open_page(walk(spell(w[0] * Value(2.0, "x0") + w[1] * Value(3.0, "x1"))))
    layer_view(page, 2)
    assert f"computes h = {name}(W x): 2 inputs, 1 unit" in page.locator("#panel").text_content()
    page.keyboard.press("End")
    wanted = shown([[slope(-2.0, 1 / (1 + np.exp(2.0)))]])
    assert matrices(page)[1][1:] == [wanted, wanted]


def test_notation_names_the_gradients_of_a_layer(open_page: Any) -> None:
    """Toronto writes every error with a bar; UNC's δ is that of sums, never of h, W, b or x."""
    page = open_page(network()[0])
    layer_view(page, 12)
    written = []
    for _ in range(3):
        lines = page.locator("#panel .matrix-line > :first-child").all_text_contents()
        written.append(lines)
        page.keyboard.press("n")
    assert written == [
        ["∂L∂h1=W2Tδ2", "δ1=∂L∂z1=(W2Tδ2)∘tanh′(z1)", "∂L∂W1=δ1xT", "∂L∂b1=δ1", "∂L∂x=W1Tδ1"],
        ["h1¯=W2Tz2¯", "z1¯=h1¯∘tanh′(z1)", "W1¯=z1¯xT", "b1¯=z1¯", "x¯=W1Tz1¯"],
        ["∂L∂h1=W2Tδ2", "δ1=(W2Tδ2)∘tanh′(z1)", "∂L∂W1=δ1xT", "∂L∂b1=δ1", "∂L∂x=W1Tδ1"],
    ]


def test_the_last_layer_has_the_letters_of_the_lectures(open_page: Any) -> None:
    """Toronto's output is y: W̄ = ȳhᵀ, b̄ = ȳ, h̄ = Wᵀȳ; UNC's error of a linear output is δ."""
    page = open_page(network()[0])
    layer_view(page, 10)
    page.keyboard.press("n")
    lines = page.locator("#panel .matrix-line > :first-child")
    assert lines.all_text_contents() == ["y¯", "W3¯=y¯h2T", "b3¯=y¯", "h2¯=W3Ty¯"]
    assert "so upstream is y\u0304; y\u0304 times x goes" in page.locator("#panel").text_content()
    page.keyboard.press("n")
    assert lines.all_text_contents() == ["δ3", "∂L∂W3=δ3h2T", "∂L∂b3=δ3", "∂L∂h2=W3Tδ3"]
    page.evaluate("scalargrad.goTo(4)")
    layer_view(page, 4)
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert lines.all_text_contents() == ["y=W3h2+b3"]


@pytest.mark.parametrize(
    ("presses", "said"),
    [
        (0, "weight[j][i], which leads from input i to unit j; both count from 0"),
        (1, "row i and column j of W, leads from input j to unit i; both count from 1"),
        (2, "row j and column i of W, leads from input i to unit j"),
    ],
)
def test_weights_are_shown_with_their_direction(open_page: Any, presses: int, said: str) -> None:
    """Which way wᵢⱼ leads, and from where it counts, is the chosen notation's."""
    page = open_page(network()[0])
    for stop in (2, 12):
        layer_view(page, stop)
        for _ in range(presses):
            page.keyboard.press("n")
        assert said in page.locator("#panel .direction").text_content()
        for _ in range(-presses % 3):
            page.keyboard.press("n")


@pytest.mark.parametrize("make", [lambda: walk(chain_rule()), lambda: network()[0][4:]])
def test_without_layers_there_is_no_layer_view(make: Any, open_page: Any) -> None:
    """No parameters, or only part of the walk: the switch is not offered."""
    page = open_page(make())
    assert page.locator("#layer-view").is_hidden()


def test_a_link_opens_in_the_layer_view(open_page: Any) -> None:
    """At the same layer."""
    page = open_page(network()[0])
    layer_view(page, 11)
    page.locator("#more").click()
    page.locator("#link").click()
    fragment = "#" + page.locator("#link-text").input_value().partition("#")[2]
    again = open_page(network()[0], fragment)
    assert again.locator("#panel .phase").text_content() == "backward: layer 2"
    assert again.locator("#counter").text_content() == "11/12"


def test_layers_are_announced(open_page: Any) -> None:
    """In a sentence, not as a list of matrices."""
    page = open_page(network()[0])
    layer_view(page, 2)
    told = page.locator("#announcement").text_content()
    assert re.fullmatch(
        r"Step 2 of 12\. Layer 1 computes h = tanh\(W x \+ b\): 2 inputs, 3 units\.", told
    )


def test_a_hostile_output_name_in_a_matrix_line_does_nothing(open_page: Any) -> None:
    """The root's label stands in every ∂L/∂W."""
    w = [Parameter(0.5, "w0"), Parameter(1.0, "w1")]
    root = tanh(w[0] * 2.0 + w[1] * 3.0)
    root.label = "</math><img x=y>"
    page = open_page(walk(root))
    layer_view(page, 5)
    assert page.locator("img").count() == 0
    assert "x=y" in page.locator("#panel").text_content()


@pytest.mark.parametrize(
    ("w", "x", "forward", "backward"),
    [
        ([4.0, 2.0], [0.0, 0.0], "==", "===="),  # tanh(0) is 0
        ([40.0, 10.0], [1.0, 2.0], "=≈", "===="),  # tanh(60) is not 1, though ½·0 is 0
        ([40.0, 0.5], [1e18, 1.0], "≈≈", "===="),  # 40·1e18 + ½ is not 4e19
        ([4.0, 0.5], [0.0, 1.0], "=≈", "===≈"),  # ½·0.7864 is 0.3932, 8 times that not 3.146
    ],
)
def test_matrices_are_called_equal_only_where_they_are(
    w: list[float], x: list[float], forward: str, backward: str, open_page: Any
) -> None:
    """Of each matrix product every entry must be what the numbers shown before it give."""
    inputs = [Value(number, f"x{i}") for i, number in enumerate(x)]
    units = [dot(map(Parameter, w), inputs) for _ in range(2)]
    page = open_page(walk(mean([tanh(z) for z in units])))
    layer_view(page, 2)
    found = []
    for _ in range(5):
        if "layer" in (page.locator("#panel .phase").text_content() or ""):
            lines = page.locator("#panel .matrices").all_text_contents()
            found.append("".join(re.findall(r"[=≈]", "".join(lines))))
        page.keyboard.press("ArrowRight")
    assert found == [forward, backward]
