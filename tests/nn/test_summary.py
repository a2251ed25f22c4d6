"""A summary counts parameters, nodes and bytes."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from scalargrad import OperandError, nn
from scalargrad.experiments import GPT, Cubic, WideAndDeep


def test_parameters_and_nodes_are_counted() -> None:
    """The moons network: 337 parameters, and two nodes for each of its 32 hidden neurons."""
    found = nn.summary(nn.MLP(2, [16, 16, 1]), [0.5, -1.0])
    assert found.parameters == 337
    assert found.nodes == 2 * 32 + 1
    assert [part.parameters for part in found.parts] == [48, 272, 17]


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (nn.Linear(3, 2, rng=0), [0.3, 0.7, 0.9]),
        (nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(3, 2, rng=0))), [0.3, 0.7, 0.9]),
        (nn.Neuron(3, rng=0), [0.3, 0.7, 0.9]),
        (nn.Layer(3, 2, rng=0), [0.3, 0.7, 0.9]),
        (nn.MLP(2, [16, 16, 1], rng=0), [0.3, 0.7]),
        (nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Linear(3, 1, rng=0)), 4),
        (nn.Sequential(nn.EmbeddingBag(5, 3, rng=0), nn.Linear(3, 1, rng=0)), [4]),
        (Cubic(rng=0), [0.3]),
        (WideAndDeep(range(4), range(3), rng=0), [1] * 13 + [0.5]),
        (GPT(3, context=4, width=4, rng=0), [2, 1, 2, 1]),
    ],
    ids=lambda part: type(part).__name__,
)
def test_an_example_of_the_right_size_is_found(model: nn.Module, example: object) -> None:
    """Without one the summary is that of any example of the size the module takes."""
    found, expected = nn.summary(model), nn.summary(model, example)
    assert found[:4] == expected[:4]
    assert found.nodes > 0
    assert found.bytes == pytest.approx(expected.bytes, rel=0.1)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Sequential(), nn.Layer(3, 0), nn.MLP(2, [])])
def test_a_module_of_any_size_needs_an_example(model: nn.Module) -> None:
    """The message names the module and what to do."""
    name = type(model).__name__
    with pytest.raises(OperandError, match=rf"{name} does not tell .* summary\(model, example\)"):
        nn.summary(model)


def test_bytes_are_what_the_interpreter_allocates() -> None:
    """Within a fiftieth of what tracemalloc sees a forward pass keep.

    A full collection gives back what the interpreter keeps for later use: pieces of memory which
    were counted before, or count no more.
    """
    model = nn.Sequential(nn.Linear(20, 20, rng=0), nn.Tanh(), nn.Linear(20, 20, rng=1), nn.Tanh())
    example = [0.1 * i + 0.05 for i in range(20)]
    model(example)  # code is printed and compiled at first use
    gc.collect()
    tracemalloc.start()
    kept = model(example)
    gc.collect()
    here = f"{Path(nn.__file__).parents[1]}*"  # other threads allocate elsewhere meanwhile
    by_us = [tracemalloc.Filter(True, files) for files in (here, "<printed from scalargrad*")]
    traces = tracemalloc.take_snapshot().filter_traces(by_us).traces
    tracemalloc.stop()
    allocated = sum(trace.size for trace in traces)
    assert len(kept) == 20
    assert nn.summary(model, example).bytes == pytest.approx(allocated, rel=0.02)


def test_memory_of_a_batch_grows_with_its_size() -> None:
    """Every intermediate of every example is kept until the backward sweep."""

    class Batch(nn.Module):
        def __init__(self) -> None:
            self.inner = nn.Linear(3, 2, rng=0)

        def forward(self, xs: list[list[float]]) -> list[object]:
            """Run each example."""
            return [self.inner(x) for x in xs]

    one = nn.summary(Batch(), [[1.5, 2.5, 3.5]])
    ten = nn.summary(Batch(), [[1.5 + i, 2.5 + i, 3.5 + i] for i in range(10)])
    assert ten.nodes == 10 * one.nodes
    assert ten.bytes == pytest.approx(10 * one.bytes, rel=0.1)


def test_the_table_names_every_part() -> None:
    """Nested modules are shown on one line each, with thousands separated."""
    model = nn.Sequential(nn.Linear(10_000, 10), nn.Sequential(nn.ReLU(), nn.Linear(10, 2)))
    text = str(nn.summary(model, {3: 1.0}))
    assert "100,010" in text
    assert "1  Sequential(…)" in text
    assert "nodes per example        22" in text


@pytest.mark.parametrize("name", ["a", "a_name_longer_than_what_it_names"])
def test_columns_are_as_wide_as_their_widest_entry(name: str) -> None:
    """Names, modules and counts stand below each other, two spaces apart."""
    model = nn.Sequential({name: nn.Linear(2, 3), "b": nn.Sequential(nn.Linear(3, 1))})
    head, *rows = str(nn.summary(model)).splitlines()[:4]
    assert head.index("module") == len(name) + 2
    assert len({len(row) for row in (head, *rows)}) == 1
    assert rows[0].startswith(f"{name}  Linear")
    longest = max(len(row.rstrip("0123456789").rstrip()) for row in rows)
    assert len(head) == longest + 2 + len("parameters")


def test_wide_layers_are_cut_short() -> None:
    """A layer of twenty neurons does not stretch the table."""
    text = str(nn.summary(nn.MLP(64, [20, 10], rng=0)))
    assert "Layer of [ReLUNeuron(64), ReLUNeuron(64), " in text
    assert max(map(len, text.splitlines())) <= 90


def test_a_plain_number_as_output_has_no_graph() -> None:
    """A module that computes with constants keeps nothing."""
    assert nn.summary(nn.ReLU(), [1.0])[2:] == (0, 0, 0)


def test_notebooks_and_ipython_show_the_table() -> None:
    """What the last line of a cell shows is what print shows."""
    pretty = pytest.importorskip("IPython.lib.pretty", reason="IPython shows it")
    found = nn.summary(nn.MLP(2, [3, 1], rng=0))
    assert pretty.pretty(found) == str(found)
