"""Parameters by place: the same name in formulas, pictures, boxes and wires."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from scalargrad import Value, draw
from scalargrad.nn import MLP, Linear, ReLU, Sequential
from scalargrad.show.graphs import network
from scalargrad.show.steps import walk


def two_layers() -> tuple[MLP, Value]:
    """Return a network of two layers and what it answers."""
    model = MLP(2, [2, 1], rng=0)
    root = model([Value(0.5, "x0"), Value(-1.0, "x1")])
    return model, root


def test_every_weight_of_a_network_has_a_name_of_its_own() -> None:
    """Layer above, unit and input below, counted from 1 as in the lectures."""
    model, root = two_layers()
    scene = walk(root, model=model).scene
    found = {scene.names[p]: p for p in model.parameters()}
    assert len(found) == 9
    assert found["w¹₂,₁"] is model.layers[0].neurons[1].w[0]
    assert found["b²₁"] is model.layers[1].neurons[0].b


def test_other_modules_have_pytorch_s_names() -> None:
    """Of `2.weight`, row 0 and column 1."""
    model = Sequential(Linear(2, 2, rng=0), ReLU(), Linear(2, 1, rng=0))
    (out,) = model([Value(0.5), Value(-1.0)])
    scene = walk(out, model=model).scene
    assert "2.weight[0, 1]" in scene.names.values()


def test_a_picture_has_the_same_names() -> None:
    """In boxes and titles."""
    model, root = two_layers()
    drawn = draw(root, model=model, depth=None)
    texts = ["".join(found.itertext()) for found in ET.fromstring(drawn.svg()).iter()]
    assert "b²₁" in drawn.mermaid
    written = [text.replace("\n", "") for text in texts]
    assert any(text.endswith("w12,1") for text in written)
    assert any(text.endswith("b21") for text in written)


def test_hidden_units_have_names() -> None:
    """a₀ and a₁ between x₀, x₁ and y, as on the training page."""
    drawn = network(two_layers()[0]).mermaid
    assert [name in drawn for name in ("x₁", "a₀", "a₁", '"y"')] == [True] * 4


def test_formulas_have_true_scripts() -> None:
    """MathML sets the layer above and the unit below; L_reg has an index."""
    model, root = two_layers()
    root.label = "L_reg"
    (step,) = [step for step in walk(root, model=model) if step.node is root][:1]
    written = step.mathml()
    assert "<msubsup><mi>w</mi><mn>1,2</mn><mn>2</mn></msubsup>" in written
    assert "<msub><mi>L</mi><mtext>reg</mtext></msub>" in written


def test_a_model_folds_however_small(open_page: Any) -> None:
    """Its page opens with the network in boxes, and names are those of the formulas."""
    model, root = two_layers()
    page = open_page(walk(root, model=model))
    assert page.evaluate("scalargrad.drawings") > 1
    assert page.locator("#panel msubsup").count() > 0
