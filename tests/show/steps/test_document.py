"""The step page as a document: one file, a strict policy, saved atomically, also in notebooks."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, tanh
from scalargrad.errors import LayoutError
from scalargrad.nn import MLP, Linear, Sequential
from scalargrad.show.steps import Walk, walk

from .graphs import lecture, network

HOSTILE = "</script><img src=x onerror=alert(1)><!--"


def chain(gates: int) -> Walk:
    """Walk through a chain of products."""
    y: Value = Parameter(1.0, "w")
    for _ in range(gates):
        y = y * 1.0
    return walk(y)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Return a function that saves a page and returns its text."""

    def saved(steps: Walk, **options: Any) -> str:
        return steps.save(tmp_path / "walk.html", **options).read_text(encoding="utf-8")

    return saved


def test_page_places_names_above_numbers_and_orders_layers(written: Callable[..., str]) -> None:
    """For a network of three layers."""
    document = written(walk(MLP(2, [3, 2, 1], rng=0)([1.0, 2.0])))
    assert '"stages":[{"layer":0},{"layer":1},{"layer":2}]' in document
    place = r'x="[\d.]+" y="([\d.]+)"'
    found = re.findall(rf'-value" {place}><tspan class="name" {place}>', document)
    assert {float(number) - float(name) > 10.0 for number, name in found} == {True}
    wires = re.findall(r'd="M([\d.]+),[\d.]+H([\d.]+)"/><text id="[^"]+" x="([\d.]+)"', document)
    assert {float(low) < float(x) < float(high) for low, high, x in wires} == {True}


def test_page_policy_allows_only_its_own_script_and_style(written: Callable[..., str]) -> None:
    """Both are identified by hashes; everything else, including the network, is forbidden."""
    document = written(lecture())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy is not None
    digests = {}
    for name in ("script", "style"):
        (found,) = re.findall(rf"<{name}(?: type=\"module\")?>(.*?)</{name}>", document, re.DOTALL)
        digests[name] = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
    assert policy[1] == (
        f"default-src 'none'; script-src 'sha256-{digests['script']}'; "
        f"style-src 'sha256-{digests['style']}'; base-uri 'none'; form-action 'none'"
    )
    assert set(re.findall(r"https?://[^\s\"'<)]+", document)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|\bsrc=|\bimport\b.*from|\son\w+=\"", document)


def test_page_escapes_labels_and_titles(written: Callable[..., str]) -> None:
    """A label cannot close the script element, nor a title the heading."""
    assert "<img" not in written(walk(Parameter(1.0, HOSTILE) * 2.0))
    assert "<h1>a &lt; b</h1>" in written(lecture(), title="a < b")


def test_page_has_a_table_of_steps_without_javascript(written: Callable[..., str]) -> None:
    """The noscript element has a table."""
    inside = re.search(r"<noscript>(.*?)</noscript>", written(lecture()), re.DOTALL)
    assert inside is not None
    assert inside[1].count("<tr>") == 9


def test_walk_save_writes_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving twice gives the same bytes; a full disk changes nothing, and leaves no other file."""
    path = lecture().save(tmp_path / "walk.html")
    before = path.read_bytes()
    assert lecture().save(path).read_bytes() == before
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        network().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("no_bundled_graphviz", "no_system_graphviz")
def test_walk_save_without_graphviz_raises_and_a_notebook_shows_the_table(tmp_path: Path) -> None:
    """Without Graphviz there is no layout."""
    steps = lecture()
    with pytest.raises(LayoutError, match="Graphviz"):
        steps.save(tmp_path / "walk.html")
    assert steps._repr_mimebundle_()["text/html"] == steps._repr_html_()


def test_walk_save_limit_divides_a_larger_graph_into_subgraphs(written: Callable[..., str]) -> None:
    """The limit is for one drawing; a model is always divided."""
    assert "opens its drawing" not in written(chain(100), limit=101)
    assert "opens its drawing" in written(chain(100), limit=100)
    assert "opens its drawing" in (page := written(network()))
    assert page.count('"whole graph"') == 1
    model = Sequential(Sequential(Linear(2, 1)))  # a subgraph of one subgraph shows its items
    page = written(walk(model([1.0, 2.0])[0] * 2.0, model=model))
    assert page.count("opens its drawing") == 1


def test_page_of_a_chain_of_3000_gates_takes_less_than_a_megabyte(
    written: Callable[..., str],
) -> None:
    """Equal subgraphs share one drawing."""
    w, y = Parameter(0.9, "w"), Value(0.5, "x")
    for _ in range(1_500):
        y = tanh(y * w)
    assert len(written(walk(y)).encode()) < 1_000_000


def test_page_is_the_same_in_another_process(tmp_path: Path) -> None:
    """No part depends on the order of a set, so pages can be kept in Git."""
    program = (
        "import sys; from scalargrad.nn import MLP; from scalargrad.show.steps import walk\n"
        "model = MLP(3, [12, 12, 1], rng=0)\n"
        "walk(model([1.0, 2.0, 3.0]), model=model).save(sys.argv[1], limit=10)"
    )
    pages = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.html"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True)
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]


def test_walk_in_a_notebook_is_a_frame_and_a_table(
    unpack_frame: Callable[[str], str], written: Callable[..., str]
) -> None:
    """If frames and scripts are removed, as on GitHub, the table remains; a console has text."""
    steps = lecture()
    bundle = steps._repr_mimebundle_()
    assert bundle["text/plain"] == str(steps)
    assert unpack_frame(bundle["text/html"]) == written(steps)
    assert 'sandbox="allow-scripts' in bundle["text/html"]
    left = re.sub(r"<(iframe|script|style)\b.*?</\1>", "", bundle["text/html"], flags=re.DOTALL)
    assert steps._repr_html_() in left
    assert "srcdoc" not in left
    long = chain(1_000)  # its page would add megabytes at each run of the cell
    assert long._repr_mimebundle_()["text/html"] == long._repr_html_()
    assert re.findall("and (.*?):", long._repr_html_()) == [f"{len(long) - 100} more steps"]


# Layers, by their sentences in the page ---------------------------------------------------------


@pytest.fixture
def layers(written: Callable[..., str]) -> Callable[[Value], list[str]]:
    """Return a function that lists the formulas of the layers on the page of a graph."""
    return lambda root: re.findall(r"Layer [^\"]*? computes ([^\"]*)\.\"", written(walk(root)))


@pytest.mark.parametrize(("activation", "sign"), [("sigmoid", "σ"), ("relu", "ReLU")])
def test_page_names_the_activation_of_a_layer(
    activation: str, sign: str, layers: Callable[[Value], list[str]]
) -> None:
    """By the symbol of its operation."""
    output = MLP(2, [2, 1], activation=activation, rng=1)([Value(0.5), Value(-1.0)])
    assert layers(output)[0] == f"h = {sign}(W x + b): 2 inputs, 2 units"


def test_page_finds_layers_however_they_are_written(
    layers: Callable[[Value], list[str]],
) -> None:
    """In `MLP`, loops over + and ×, and a layer for three examples; biases may be 0 or absent."""
    model = MLP(2, [3, 2, 1], activation="tanh", rng=1)
    assert layers(sg.square(model([Value(0.5), Value(-1.0)]))) == [
        "h = tanh(W x + b): 2 inputs, 3 units",
        "h = tanh(W x + b): 3 inputs, 2 units",
        "z = W x + b: 2 inputs, 1 unit",
    ]
    x, w = [Value(1.0, "x0"), Value(2.0, "x1")], [Parameter(0.5, "w0"), Parameter(0.25, "w1")]
    weighted = w[0] * x[0] + w[1] * x[1]
    assert layers(weighted + Parameter(0.0)) == ["z = W x + b: 2 inputs, 1 unit"]
    assert layers(0 + w[0] * x[0] + w[1] * x[1]) == ["z = W x: 2 inputs, 1 unit"]
    assert layers(weighted + 2.0) == layers(weighted + x[0]) == ["z = W x: 2 inputs, 1 unit"]
    linear = Linear(2, 2, rng=0)
    calls = layers(sg.mean([sg.square(y) for k in range(3) for y in linear([float(k), 1.0])]))
    assert calls == ["z = W x + b: 2 inputs, 2 units"] * 3


def test_page_finds_the_operand_of_relu_by_position(
    layers: Callable[[Value], list[str]], written: Callable[..., str]
) -> None:
    """max(0, z) is a ReLU of its second operand also at z = 0; max(z, b) is not, even at b = 0."""
    x, w = [Value(1.0, "x0"), Value(2.0, "x1")], [Parameter(0.5, "w0"), Parameter(-0.25, "w1")]
    z = w[0] * x[0] + w[1] * x[1]
    assert '"operands":[1]' in written(walk(sg.maximum(0.0, z)))
    assert layers(sg.maximum(z, Value(0.0, "b"))) == ["z = W x: 2 inputs, 1 unit"]


def test_page_has_no_layers_without_a_matrix(layers: Callable[[Value], list[str]]) -> None:
    """For data times data, a single weight, a difference; in attention, W x + b is the only one."""
    assert layers(sg.dot([Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)])) == []
    assert layers(Parameter(1.0, "w") * Value(2.0, "x")) == []
    assert layers((Parameter(2.0, "w") - Value(1.0, "x")) * Parameter(1.0, "v")) == []
    layer, queries, keys = Linear(3, 3, rng=0), Linear(3, 3, rng=1), Linear(3, 3, rng=2)
    x = [Value(0.1 * i + 0.2, f"x{i}") for i in range(3)]
    spread = sg.sqrt(sg.mean([sg.square(xi - sg.mean(x)) for xi in x]) + 1e-5)
    normed = [Parameter(1.0, f"g{i}") * ((xi - sg.mean(x)) / spread) for i, xi in enumerate(x)]
    weights = sg.softmax([q * k for q, k in zip(queries(normed), keys(normed), strict=True)])
    out = [xi + w * yi for xi, w, yi in zip(x, weights, layer(normed), strict=True)]
    assert layers(sg.sum(out)) == ["z = W x + b: 3 inputs, 9 units"]  # Q, K and V


def test_page_repeats_names_with_value_and_gradient(written: Callable[..., str]) -> None:
    """Each repeated name has the value on its wire and the gradient below.

    A screen of 1,280 pixels shows these rows whole.
    """
    w, h = Parameter(0.5, "w"), Value(0.3, "h")
    for _ in range(15):
        h = tanh(w * h)
    page = written(walk(h))
    again = re.findall(r'id="(n\d+-w\d+)-again"', page)
    assert len(again) >= 14
    assert max(map(int, re.findall(r'id="graph"[^>]* width="(\d+)"', page))) <= 1261
    assert all(f'id="{x}-value"' in page and f'id="{x}-gradient"' in page for x in again)


def test_page_draws_parameters_shared_by_calls_as_one_wire(written: Callable[..., str]) -> None:
    """The wire is named by the first and the last parameter in the order of the model."""
    model = MLP(2, [2, 1], rng=0)
    page = written(walk(lambda: sg.sum([model([k, 2.0]) for k in range(3)]), model=model))
    assert all(x in page for x in ("W₁[0,0] … b₂ (9)", 'id="b0-from'))
    assert not re.search(r'id="n\d+-into"', page)


def test_page_draws_examples_in_the_order_of_their_sum(tmp_path: Path) -> None:
    """From top to bottom, by horizontal lines next to the pills."""
    w, b = Value(0.5, "w"), Value(0.1, "b")
    loss: Any = sum((w * k + b - k) ** 2 for k in range(2, 6))
    page = walk(loss).save(tmp_path / "page.html").read_text(encoding="utf-8")
    found = re.findall(r'<text x="[\d.]+" y="([\d.]+)" dy="[\d.]+em">×\d</text>', page)
    assert len(found) == 4
    assert found == sorted(found, key=float)
    level = re.findall(r" ([\d.]+,([\d.]+)) \1 ([\d.]+,\2) \3 ", page)
    assert len(level) == len(re.findall(r'id="n\d+-w\d+-tap"', page)) == 8
