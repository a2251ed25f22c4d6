"""What a notebook shows of a module."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from scalargrad.nn import MLP, Linear, Module, Neuron, ReLU, Sequential


def parsed(module: Module) -> ET.Element:
    """Return the display as a tree, which shows that every element is closed."""
    return ET.fromstring(f"<div>{module._repr_mimebundle_()['text/html']}</div>")


def text(module: Module) -> str:
    """Return what can be read."""
    return " ".join(word for word in parsed(module).itertext() if word.strip())


def test_a_network_shows_its_units() -> None:
    """MLP(2, [3, 1]) is a picture of six units, and nothing that notebooks show rather than it."""
    model = MLP(2, [3, 1], rng=0)
    bundle = model._repr_mimebundle_()
    svg = ET.fromstring(bundle.pop("image/svg+xml"))
    assert len([g for g in svg.iter() if g.get("class") == "node"]) == 6
    assert bundle == {"text/plain": repr(model)}


def test_other_modules_show_what_is_inside_them() -> None:
    """A Sequential is a table of its modules, their parameters and the total."""
    rows = parsed(Sequential(Linear(2, 3), ReLU(), Linear(3, 1))).findall(".//tbody/tr")
    cells = [["".join(cell.itertext()) for cell in row] for row in rows]
    assert cells == [
        ["0", "Linear(in_features=2, out_features=3, bias=True)", "9"],
        ["1", "ReLU()", "0"],
        ["2", "Linear(in_features=3, out_features=1, bias=True)", "4"],
    ]


def test_a_module_without_modules_shows_itself() -> None:
    """A neuron is a line, with its three parameters below."""
    assert text(Neuron(2)) == "ReLUNeuron(2) Neuron: 3 parameters"
    assert text(Linear(1, 1, bias=False)).endswith("Linear: 1 parameter")


@pytest.mark.parametrize("model", [MLP(40, [40, 1], rng=0), MLP(2, [], rng=0)])
def test_a_network_that_cannot_be_drawn_is_a_table(model: MLP) -> None:
    """1,640 lines are too many to tell apart, and no layers are nothing to draw."""
    assert "image/svg+xml" not in model._repr_mimebundle_()
    assert f"MLP: {len(model.parameters()):,} parameters" in text(model)


def test_without_graphviz_a_network_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell shows something in any case."""
    monkeypatch.setattr("scalargrad.show.graphs.layout.shutil.which", lambda _: None)
    monkeypatch.setattr("scalargrad.show.graphs.layout.find_spec", lambda _: None)
    assert "Layer of [ReLUNeuron(2)" in text(MLP(2, [3, 1]))


def test_code_in_a_name_is_text() -> None:
    """What a user wrote into a module's text cannot become an element."""

    class Odd(Module):
        def __repr__(self) -> str:
            return "<script>alert(1)</script>"

    assert "<script>" not in Sequential(Odd())._repr_mimebundle_()["text/html"]
    assert "<script>alert(1)</script>" in text(Sequential(Odd()))
