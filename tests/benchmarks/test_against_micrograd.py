"""The benchmarks run and measure what they say, at tiny sizes; no time is asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import against_micrograd as bench
from benchmarks.moons.problem import labelled_points
from benchmarks.reporting import Finding
from scalargrad import Value, nn
from scalargrad.graph import topological_order


@pytest.fixture
def libraries() -> tuple[Any, Any]:
    """Return both contestants."""
    pytest.importorskip("micrograd", reason="micrograd is what is compared with")
    return bench.scalargrad_library(), bench.micrograd_library()


def test_readme_expression_is_the_published_one() -> None:
    """It has the numbers micrograd's README prints."""
    a, b, g = bench.readme_expression(Value)
    assert [f"{x:.4f}" for x in (g.data, a.grad, b.grad)] == ["24.7041", "138.8338", "645.5773"]


def test_both_contestants_run_the_same_programs(
    libraries: tuple[Any, Any],
) -> None:
    """Loss and updated weights of a moons step are the same in both, to rounding."""
    few = labelled_points(3)
    outcomes = []
    for library in libraries:
        model = bench.moons_model(library)
        loss = bench.moons_step(library, model, few, rate=1.0)
        outcomes.append([loss, *(p.data for p in model.parameters())])
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-10, abs=1e-12)


def test_a_moons_step_is_the_demo_s() -> None:
    """On the whole batch the first losses are the published ones."""
    library, moons = bench.scalargrad_library(), labelled_points()
    model = bench.moons_model(library)
    losses = [bench.moons_step(library, model, moons, rate) for rate in (1.0, 0.991)]
    assert losses == pytest.approx([0.8958441028683222, 1.72359053369720], rel=1e-12)


def test_contestants_take_turns() -> None:
    """A turn is a run that is not timed and one that is; a run repeated n times runs n times."""
    order: list[str] = []
    first, second = bench.interleaved(lambda: order.append("A"), lambda: order.append("B"), 3)
    assert "".join(order) == "AABB" * 3
    assert first >= 0.0
    assert second >= 0.0
    bench.repeated(lambda: order.append("C"), 4)()
    assert order.count("C") == 4


def test_traced_bytes_count_what_is_kept() -> None:
    """A bytearray of 100,000 is 100,000 bytes, give or take its header; what is freed is not."""

    def build() -> bytearray:
        bytearray(1_000_000)
        return bytearray(100_000)

    kept, size = bench.traced_bytes(build)
    assert isinstance(kept, bytearray)
    assert len(kept) == 100_000
    assert size == pytest.approx(100_000, abs=2_000)


def test_the_mixed_graph_grows_by_eleven_nodes_a_round() -> None:
    """The number of rounds sets the size, and gradients stay finite."""
    sizes = [len(topological_order(bench.mixed_graph(rounds))) for rounds in (5, 6, 106)]
    assert sizes[1] - sizes[0] == 11
    assert sizes[2] - sizes[1] == 1100
    bench.mixed_graph(2000).backward()


def test_the_chain_has_its_length() -> None:
    """A chain of 5 additions is 6 nodes, and its slope is 1."""
    leaf, end = bench.chain(5)
    end.backward()
    assert (len(topological_order(end)), end.data, leaf.grad) == (6, 5.0, 1.0)


def test_every_finding_can_be_made(libraries: tuple[Any, Any]) -> None:
    """Each measurement runs at a tiny size and fills its row."""
    rows = [
        bench.compare_readme(*libraries, rounds=1, times=1),
        bench.compare_moons(*libraries, rounds=1, points=2),
        *bench.bytes_per_node(copies=2, rounds=2),
        bench.long_chain(length=1000),
        bench.linear_backward(rounds=1, size=2),
        *bench.import_time(rounds=1),
    ]
    assert len(rows) == 8
    assert all(row.what and row.measured for row in rows)
    assert [row.what for row in rows if row.met is None] == [rows[-1].what]


def test_a_chain_leaves_nothing_to_collect() -> None:
    """A thousand nodes are freed by reference counting: the goal of that row is met anywhere."""
    assert bench.long_chain(length=1000).met is True


def test_programs_that_differ_are_not_compared() -> None:
    """A contestant with another loss is an error instead of a figure."""

    class Double(nn.MLP):
        def __call__(self, x: Any) -> Any:
            return super().__call__(x) * 2.0

    ours = bench.scalargrad_library()
    with pytest.raises(AssertionError, match="differ"):
        bench.compare_moons(ours, ours._replace(mlp=Double), rounds=1, points=2)


def test_the_command_puts_the_table_into_its_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--write leaves the rest of the file as it was."""
    row = Finding("slow", "< 2", "3", met=False)
    monkeypatch.setattr(bench, "findings", lambda rounds: iter([row] * rounds))
    path = tmp_path / "figures.md"
    path.write_text("before\n<!-- eager -->\nold\n<!-- /eager -->\nafter\n")
    bench.main(["--write", str(path), "--rounds", "2"])
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- eager -->\n\n| figure |")
    assert text.endswith("\n<!-- /eager -->\nafter\n")
    assert "old" not in text
    assert text.count("| slow | < 2 | 3 | NO |") == 2
    assert "slow: 3" in capsys.readouterr().out


def missing(*_: Any) -> Any:
    """Stand for a library that is not installed."""
    raise ModuleNotFoundError("No module named 'micrograd'")


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--rounds", "0"], "at least one"), ([], "pip install")]
)
def test_bad_use_is_a_message(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No turns at all, or no micrograd, end with exit code 2 and a remedy."""
    monkeypatch.setattr(bench, "micrograd_library", missing)
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
