"""`summary` counts parameters, nodes and bytes; notebooks show a picture or a table."""

from __future__ import annotations

import gc
import importlib
import tracemalloc
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from scalargrad import nn
from scalargrad.nn import MLP, Linear, Module, ReLU, Sequential


def test_summary_counts_parameters_and_nodes() -> None:
    """The moons network: 337 parameters, and two nodes for each of its 32 hidden neurons."""
    found = nn.summary(MLP(2, [16, 16, 1]), [0.5, -1.0])
    assert found.parameters == 337
    assert found.nodes == 2 * 32 + 1
    assert [part.parameters for part in found.parts] == [48, 272, 17]
    assert nn.summary(ReLU(), [1.0])[2:] == (0, 0, 0)  # plain numbers have no graph


def test_summary_bytes_equal_allocated_memory() -> None:
    """Within 3 % of the memory that tracemalloc attributes to a forward pass.

    Full garbage collections before and after empty the free lists of the interpreter, whose
    memory would be counted wrongly.
    """
    model = Sequential(Linear(20, 20, rng=0), nn.Tanh(), Linear(20, 20, rng=1), nn.Tanh())
    example = [0.1 * i + 0.05 for i in range(20)]
    model(example)  # code is generated and compiled at the first call
    gc.collect()
    tracemalloc.start()
    kept = model(example)
    gc.collect()
    here = f"{Path(nn.__file__).parents[1]}*"  # other threads allocate elsewhere meanwhile
    by_us = [tracemalloc.Filter(True, files) for files in (here, "<generated from scalargrad*")]
    traces = tracemalloc.take_snapshot().filter_traces(by_us).traces
    tracemalloc.stop()
    allocated = sum(trace.size for trace in traces)
    assert len(kept) == 20
    assert nn.summary(model, example).bytes == pytest.approx(allocated, rel=0.03)


def test_summary_text_names_every_child() -> None:
    """One line for each child, with thousands separators; IPython shows the same text."""
    found = nn.summary(Sequential(Linear(1_000, 10), Sequential(ReLU(), Linear(10, 2))), {3: 1.0})
    text = str(found)
    assert all(part in text for part in ("10,010", "1  Sequential(…)", "nodes per example"))
    shown: Any = importlib.import_module("IPython.lib.pretty")
    assert shown.pretty(found) == text
    cut = str(nn.summary(MLP(64, [20, 10], rng=0), [0.5] * 64))
    assert "Layer of [ReLUNeuron(64), ReLUNeuron(64), " in cut
    assert max(map(len, cut.splitlines())) <= 90


def parsed(module: Module) -> ET.Element:
    """Parse the HTML display as XML, which checks that every element is closed."""
    return ET.fromstring(f"<div>{module._repr_mimebundle_()['text/html']}</div>")


def text(module: Module) -> str:
    """Return the text of the HTML display."""
    return " ".join(word for word in parsed(module).itertext() if word.strip())


def test_display_of_mlp_is_a_picture() -> None:
    """MLP(2, [3, 1]) has six nodes; there is no HTML that notebooks would prefer."""
    model = MLP(2, [3, 1], rng=0)
    bundle = model._repr_mimebundle_()
    svg = ET.fromstring(bundle.pop("image/svg+xml"))
    assert len([g for g in svg.iter() if g.get("class", "").startswith("node")]) == 6
    assert bundle == {"text/plain": repr(model)}


def test_display_of_large_or_empty_mlp_is_a_table() -> None:
    """With 1,640 weights, too many for a picture, and without layers."""
    for model in (MLP(40, [40, 1], rng=0), MLP(2, [], rng=0)):
        assert "image/svg+xml" not in model._repr_mimebundle_()
        assert f"MLP: {len(model.parameters()):,} parameters" in text(model)


def test_display_escapes_html() -> None:
    """The repr of a module is not interpreted as HTML."""

    class Odd(Module):
        def __repr__(self) -> str:
            return "<script>alert(1)</script>"

    assert "<script>" not in Sequential(Odd())._repr_mimebundle_()["text/html"]
    assert "<script>alert(1)</script>" in text(Sequential(Odd()))
