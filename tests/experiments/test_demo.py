"""The demo: its graphs, its data, its training and the pictures it leaves."""

from __future__ import annotations

import io
import random
import shlex
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from scalargrad import Parameter, Value, watch
from scalargrad.cli.main import main
from scalargrad.errors import MissingPackageError
from scalargrad.experiments import demo
from scalargrad.experiments.demo import Moons, Progressed, load_moons, moons_loss, save_plots, train
from scalargrad.graph import leaves
from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP

#: What micrograd's demo prints, its program being this one.
PUBLISHED = [0.8958441028683222, 1.72359053369720, 0.742900631385113, 0.770564126058419]
PUBLISHED_LAST = 0.0109783701354927


def new_model() -> MLP:
    """Return the untrained network of the demo."""
    random.seed(demo.SEED)
    return MLP(2, [16, 16, 1])


@pytest.fixture(scope="module")
def moons() -> Moons:
    """Return the two-moons data."""
    return load_moons()


@pytest.fixture
def console() -> Console:
    """Return a console that keeps what is printed, as plain text."""
    return Console(file=io.StringIO(), width=100)


def printed(console: Console) -> str:
    """Return what a console has been given."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_chain_rule_graph_has_the_lecture_s_numbers() -> None:
    """At (-2, 5, -4): q = 3, f = -12 and the gradients -4, -4 and 3 (Hosseini 2024)."""
    f = demo.chain_rule()
    f.backward()
    q = f.parents[0]
    assert isinstance(q, Value)
    assert (q.label, q.data, q.grad, f.label, f.data) == ("q", 3.0, -4.0, "f", -12.0)
    assert {x.label: x.grad for x in leaves(f)} == {"x": -4.0, "y": -4.0, "z": 3.0}


def test_sigmoid_graph_has_the_lecture_s_numbers() -> None:
    """At w = (2, -3, -3), x = (-1, -2): f = .731 and the published gradients (Hosseini 2024)."""
    f = demo.sigmoid_neuron()
    f.backward()
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-12)
    expected = {
        "w0": -0.19661193324148188,
        "w1": -0.39322386648296376,
        "w2": 0.19661193324148188,
        "x0": 0.39322386648296376,
        "x1": -0.5898357997244457,
    }
    assert {x.label: x.grad for x in leaves(f)} == pytest.approx(expected, rel=1e-12)


def test_sigmoid_graph_tells_weights_from_inputs() -> None:
    """The weights are Parameters, the inputs are not."""
    trained = {x.label for x in leaves(demo.sigmoid_neuron()) if isinstance(x, Parameter)}
    assert trained == {"w0", "w1", "w2"}


def test_moons_are_scikit_learn_s_with_labels_of_one_and_minus_one(moons: Moons) -> None:
    """A hundred points in plain floats, fifty of each label, the same each time."""
    from sklearn.datasets import make_moons

    points, classes = make_moons(n_samples=100, noise=0.1, random_state=demo.SEED)
    assert moons.points == points.tolist()
    assert moons.labels == [1.0 if c == 1 else -1.0 for c in classes]
    assert moons.labels.count(1.0) == 50
    assert load_moons() == moons


def test_moons_loss_is_its_formula(moons: Moons) -> None:
    """Mean max(0, 1 - y·score) + 1e-4 Σ p², and the share of scores with the label's sign."""
    model = new_model()
    list(train(model, moons, steps=4))  # scores on both sides of 0, some right and some wrong
    loss, accuracy = moons_loss(model, moons)
    scores = np.array([model(point).data for point in moons.points])
    labels, weights = np.array(moons.labels), np.array([p.data for p in model.parameters()])
    expected = np.mean(np.maximum(0.0, 1.0 - labels * scores)) + 1e-4 * np.sum(weights**2)
    assert loss.data == pytest.approx(expected, rel=1e-12)
    assert accuracy == np.mean((scores > 0) == (labels > 0))
    assert 0.5 < accuracy < 1.0


def test_training_repeats_micrograd_s_published_run(moons: Moons) -> None:
    """Losses at steps 0-3 and 99 are micrograd's, and all 100 points end up on the right side."""
    model = new_model()
    history = list(train(model, moons))
    losses = [done.loss for done in history]
    assert losses[:4] == pytest.approx(PUBLISHED, rel=1e-12)
    assert losses[99] == pytest.approx(PUBLISHED_LAST, rel=1e-9)
    assert [done.step for done in history] == list(range(100))
    assert history[-1].accuracy == 1.0
    assert moons_loss(model, moons)[1] == 1.0


def test_training_can_stop_after_any_step(moons: Moons) -> None:
    """Each step is yielded when it is done: who stops early keeps a model trained so far."""
    model, stopped = new_model(), new_model()
    list(train(model, moons, steps=2))
    steps = train(stopped, moons, steps=2)
    next(steps)
    next(steps)
    assert [p.data for p in stopped.parameters()] == [p.data for p in model.parameters()]


def test_interrupting_training_keeps_model_and_history(
    moons: Moons, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the third step leaves two steps of history, the model they made, and says so."""
    expected = new_model()
    losses = []
    for _, done in zip(range(2), train(expected, moons), strict=False):
        losses.append(done.loss)

    calls = 0

    def interrupted(model: MLP, data: Moons) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return moons_loss(model, data)

    monkeypatch.setattr(demo, "moons_loss", interrupted)
    model = new_model()
    page = watch(model, *moons, loss=hinge_loss)
    history = demo._train_with_bar(model, moons, console, demo.STEPS, page)
    assert [done.loss for done in history] == losses
    assert [p.data for p in model.parameters()] == [p.data for p in expected.parameters()]
    assert [snapshot.step for snapshot in page.snapshots] == [0, 1, 2]
    assert list(page.snapshots[-1].parameters) == [p.data for p in model.parameters()]
    assert "stopped after 2 steps" in printed(console)


def assert_is_a_picture(path: Path) -> None:
    """Check that a file is a PNG of a sensible size with more than one colour."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = matplotlib.image.imread(path)
    assert min(image.shape[:2]) >= 400
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 20


@pytest.mark.parametrize("history", [[], [Progressed(0, 0.9, 0.5), Progressed(1, 0.1, 1.0)]])
def test_plots_are_saved_as_pictures(
    tmp_path: Path, moons: Moons, history: list[Progressed]
) -> None:
    """Loss curve and decision boundary are PNG files, after however short a training."""
    written = save_plots(tmp_path, MLP(2, [2, 1]), moons, history)
    assert written == [tmp_path / "loss.png", tmp_path / "boundary.png"]
    for path in written:
        assert_is_a_picture(path)


def test_the_whole_demo_writes_pictures_and_pages(tmp_path: Path, console: Console) -> None:
    """Run end to end with two steps: each graph as SVG and page, plots, and a training page."""
    folder = tmp_path / "new" / "folder"
    written = demo.run(folder, console, steps=2)
    graphs = ["chain-rule.svg", "chain-rule.html", "sigmoid.svg", "sigmoid.html"]
    names = [*graphs, "loss.png", "boundary.png", "training.html"]
    assert written == [folder / name for name in names]
    for path in written:
        if path.suffix == ".png":
            assert_is_a_picture(path)
        else:
            assert "<svg" in path.read_text(encoding="utf-8")
    text = printed(console)
    assert all(str(path.resolve()) in text for path in written)


def test_the_demo_ends_with_a_command_that_works(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it proposes to do next, typed as it stands, writes a page."""
    demo.run(tmp_path, console, steps=1)
    program, *arguments = shlex.split(printed(console).splitlines()[-1])
    assert program == "scalargrad"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert (tmp_path / "mine.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package, with every module of it already loaded, look as if it were not installed."""
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


def test_data_without_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is scalargrad's own and an ImportError, and gives the command."""
    hide(monkeypatch, "sklearn")
    with pytest.raises(MissingPackageError, match=r"python -m pip install scikit-learn$"):
        load_moons()


def test_plots_without_matplotlib_say_what_to_install(
    tmp_path: Path, moons: Moons, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half a file is left, and the message gives the command."""
    hide(monkeypatch, "matplotlib")
    with pytest.raises(MissingPackageError, match=r"python -m pip install matplotlib$"):
        save_plots(tmp_path, new_model(), moons, [])
    assert list(tmp_path.iterdir()) == []
