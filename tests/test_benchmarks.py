"""The benchmarks run and measure what they say, at tiny sizes; no time is asserted."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from scalargrad import Value
from scalargrad.graph import topological_order

FILE = Path(__file__).parents[1] / "benchmarks" / "against_micrograd.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """Return the benchmark as a module."""
    spec = importlib.util.spec_from_file_location("against_micrograd", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def libraries(bench: ModuleType) -> tuple[Any, Any]:
    """Return both contestants."""
    pytest.importorskip("micrograd", reason="micrograd is what is compared with")
    return bench.scalargrad_library(), bench.micrograd_library()


def test_readme_expression_is_the_published_one(bench: ModuleType) -> None:
    """It has the numbers micrograd's README prints."""
    a, b, g = bench.readme_expression(Value)
    assert [f"{x:.4f}" for x in (g.data, a.grad, b.grad)] == ["24.7041", "138.8338", "645.5773"]


def test_both_contestants_run_the_same_programs(
    bench: ModuleType, libraries: tuple[Any, Any]
) -> None:
    """Loss and updated weights of a moons step are the same in both, to rounding."""
    moons = bench.load_moons()
    few = bench.Moons(moons.points[:3], moons.labels[:3])
    outcomes = []
    for library in libraries:
        model = bench.moons_model(library)
        loss = bench.moons_step(library, model, few, rate=1.0)
        outcomes.append([loss, *(p.data for p in model.parameters())])
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-10, abs=1e-12)


def test_a_moons_step_is_the_demo_s(bench: ModuleType) -> None:
    """On the whole batch the first losses are the published ones."""
    library, moons = bench.scalargrad_library(), bench.load_moons()
    model = bench.moons_model(library)
    losses = [bench.moons_step(library, model, moons, rate) for rate in (1.0, 0.991)]
    assert losses == pytest.approx([0.8958441028683222, 1.72359053369720], rel=1e-12)


def test_contestants_take_turns(bench: ModuleType) -> None:
    """A turn is a run that is not timed and one that is; a run repeated n times runs n times."""
    order: list[str] = []
    first, second = bench.interleaved(lambda: order.append("A"), lambda: order.append("B"), 3)
    assert "".join(order) == "AABB" * 3
    assert first >= 0.0
    assert second >= 0.0
    bench.repeated(lambda: order.append("C"), 4)()
    assert order.count("C") == 4


def test_traced_bytes_count_what_is_kept(bench: ModuleType) -> None:
    """A bytearray of 100,000 is 100,000 bytes, give or take its header; what is freed is not."""

    def build() -> bytearray:
        bytearray(1_000_000)
        return bytearray(100_000)

    kept, size = bench.traced_bytes(build)
    assert len(kept) == 100_000
    assert size == pytest.approx(100_000, abs=2_000)


def test_the_mixed_graph_grows_by_eleven_nodes_a_round(bench: ModuleType) -> None:
    """The number of rounds sets the size, and gradients stay finite."""
    sizes = [len(topological_order(bench.mixed_graph(rounds))) for rounds in (5, 6, 106)]
    assert sizes[1] - sizes[0] == 11
    assert sizes[2] - sizes[1] == 1100
    bench.mixed_graph(2000).backward()


def test_the_chain_has_its_length(bench: ModuleType) -> None:
    """A chain of 5 additions is 6 nodes, and its slope is 1."""
    leaf, end = bench.chain(5)
    end.backward()
    assert (len(topological_order(end)), end.data, leaf.grad) == (6, 5.0, 1.0)


def test_every_finding_can_be_made(bench: ModuleType, libraries: tuple[Any, Any]) -> None:
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


def test_a_chain_leaves_nothing_to_collect(bench: ModuleType) -> None:
    """A thousand nodes are freed by reference counting: the goal of that row is met anywhere."""
    assert bench.long_chain(length=1000).met is True


def test_programs_that_differ_are_not_compared(bench: ModuleType) -> None:
    """A contestant with another loss is an error instead of a figure."""

    class Double(bench.nn.MLP):  # type: ignore[name-defined, misc]
        def __call__(self, x: Any) -> Any:
            return super().__call__(x) * 2.0

    ours = bench.scalargrad_library()
    with pytest.raises(AssertionError, match="differ"):
        bench.compare_moons(ours, ours._replace(mlp=Double), rounds=1, points=2)


@pytest.fixture
def rows(bench: ModuleType) -> list[Any]:
    """Return a goal met, a goal missed and a figure without a goal."""
    return [
        bench.Finding("fast", "< 2", "1", met=True),
        bench.Finding("slow", "< 2", "3", met=False),
        bench.Finding("plain", "", "4", met=None),
    ]


def test_markdown_table(bench: ModuleType, rows: list[Any]) -> None:
    """One line per row under a header, a missed goal standing out, then the machine."""
    assert bench.as_markdown(rows).splitlines() == [
        "| figure | goal | measured | met |",
        "| --- | --- | --- | --- |",
        "| fast | < 2 | 1 | yes |",
        "| slow | < 2 | 3 | NO |",
        "| plain |  | 4 |  |",
        "",
        f"{bench.machine()}.",
    ]


def test_terminal_table(bench: ModuleType, rows: list[Any]) -> None:
    """The table in the terminal has every row."""
    console = Console(width=100)
    with console.capture() as captured:
        console.print(bench.as_table(rows))
    assert all(row.what in captured.get() for row in rows)


def test_the_command_prints_and_writes_the_table(
    bench: ModuleType,
    rows: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """--markdown replaces the file as a whole and leaves no temporary file behind."""
    monkeypatch.setattr(bench, "findings", lambda rounds: iter(rows * rounds))
    path = tmp_path / "figures.md"
    path.write_text("old")
    bench.main(["--markdown", str(path), "--rounds", "2"])
    assert path.read_text(encoding="utf-8") == bench.as_markdown(rows * 2)
    assert list(tmp_path.iterdir()) == [path]
    assert "slow: 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--rounds", "0"], "at least one"), ([], "pip install")]
)
def test_bad_use_is_a_message(
    bench: ModuleType,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No turns at all, or no micrograd, end with exit code 2 and a remedy."""
    monkeypatch.setitem(sys.modules, "micrograd", None)
    monkeypatch.delitem(sys.modules, "micrograd.engine", raising=False)
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
