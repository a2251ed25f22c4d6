"""`watch` in Python: snapshots, units, refused models, and the saved file."""

from __future__ import annotations

import itertools
import math
import re
import signal
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.show.training.helpers import HOSTILE

from scalargrad import Parameter, Value, exp, relu, softmax, tanh, watch
from scalargrad.errors import GraphTooLargeError, NumericalError, TraceError
from scalargrad.losses import binary_cross_entropy_with_logits, mse_loss
from scalargrad.nn import MLP, Dropout, Linear, Module, Sequential, Softplus, Tanh
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.training import TrainingPage
from scalargrad.train import History, fit

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [0, 1, 1, 0]
BCE = binary_cross_entropy_with_logits


def network() -> MLP:
    """Return two tanh units and an output, always with the same weights."""
    return MLP(2, [2, 1], activation="tanh", rng=0)


def watched(model: Any, **options: Any) -> TrainingPage:
    """Watch a model at exclusive or."""
    return watch(model, X, Y, loss=BCE, **options)


def trained(model: Any, **options: Any) -> TrainingPage:
    """Watch a model while it is trained."""
    optimizer = SGD(model.parameters(), lr=0.3)
    return watched(model, **{"optimizer": optimizer, "quiet": True, **options})


def steps(training: TrainingPage) -> list[int]:
    """Return the step of each snapshot."""
    return [snapshot.step for snapshot in training.snapshots]


def losses(training: TrainingPage) -> list[float]:
    """Return the loss of each snapshot."""
    return [snapshot.loss for snapshot in training.snapshots]


# Recording ------------------------------------------------------------------------------------


def test_record_takes_a_snapshot_after_every_step() -> None:
    """Each snapshot has the loss and a copy of all parameters with all digits."""
    model = network()
    optimizer = SGD(model.parameters(), lr=0.5)
    training = watched(model, optimizer=optimizer)
    before, numbers = [], [sorted(p.data for p in model.parameters())]
    for _ in range(5):
        loss = BCE([model(x) for x in X], [float(y) for y in Y])
        before.append(loss.data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        training.record()
        numbers.append(sorted(p.data for p in model.parameters()))
    assert steps(training) == [0, 1, 2, 3, 4, 5]
    assert losses(training)[:5] == pytest.approx(before, rel=1e-12)
    assert [sorted(snapshot.parameters) for snapshot in training.snapshots] == numbers
    assert {snapshot.learning_rate for snapshot in training.snapshots} == {0.5}
    assert training.history["epoch"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert training.history["loss"] == losses(training)


def test_training_page_as_callback_of_fit_has_a_snapshot_for_each_epoch() -> None:
    """It has the learning rate of the epoch, not the next one; a second fit continues the count."""
    model = network()
    optimizer = SGD(model.parameters(), lr=1.0)
    training = watched(model)
    options: dict[str, Any] = {"loss": BCE, "optimizer": optimizer, "quiet": True}
    scheduler = LinearLR(optimizer, 1.0, 0.5, total_iters=2)
    history = fit(model, X, Y, scheduler=scheduler, epochs=3, callbacks=[training], **options)
    assert steps(training) == [0, 1, 2, 3]
    assert [snapshot.learning_rate for snapshot in training.snapshots[1:]] == [1.0, 0.75, 0.5]
    assert training.history is history
    assert "epoch 0 to 3" in repr(training)
    fit(model, X, Y, epochs=2, callbacks=[training], **options)
    assert steps(training) == [0, 1, 2, 3, 4, 5]


def test_watch_with_epochs_trains_like_fit() -> None:
    """The same model, options and seed give the same weights, bit for bit."""
    alone, model = network(), network()
    options: dict[str, Any] = {"epochs": 4, "batch_size": 2, "seed": 3, "quiet": True}
    fit(alone, X, Y, loss=BCE, optimizer=SGD(alone.parameters(), lr=0.3), **options)
    training = trained(model, **options)
    assert [p.data for p in model.parameters()] == [p.data for p in alone.parameters()]
    assert len(training.snapshots) == 5
    assert len(training.history) == 4
    assert training.stopped == ""


def test_watch_with_jit_has_the_snapshots_of_eager_training() -> None:
    """Compiled steps update other storage, but the page has the parameters of every epoch."""
    eager, compiled = (losses(trained(network(), epochs=12, jit=jit)) for jit in (False, True))
    assert compiled == pytest.approx(eager, rel=1e-9)
    assert len(set(compiled)) == 13


@pytest.mark.usefixtures("default_sigint_handler")
def test_watch_keeps_its_snapshots_after_ctrl_c() -> None:
    """An interrupt during the third epoch ends training."""

    def interrupting(model: Module, history: History) -> None:
        if len(history) == 2:
            signal.raise_signal(signal.SIGINT)

    training = trained(network(), epochs=50, callbacks=[interrupting])
    assert training.stopped == "interrupted"
    assert steps(training) == [0, 1, 2]


def test_watch_keeps_its_snapshots_if_the_loss_overflows() -> None:
    """A far too large rate overflows the loss; `stopped` names inf."""
    model = MLP(1, [1], rng=0)
    optimizer = SGD(model.parameters(), lr=1e200)
    options: dict[str, Any] = {"loss": mse_loss, "optimizer": optimizer, "quiet": True}
    training = watch(model, [[1.0], [2.0]], [1.0, 3.0], epochs=20, batch_size=None, **options)
    assert 2 <= len(training.snapshots) < 20
    assert math.isinf(training.snapshots[-1].loss)
    assert "inf" in training.stopped
    with pytest.raises(NumericalError, match="inf"):
        fit(model, [[1.0]], [1.0], epochs=1, **options)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100])
def test_watch_max_snapshots_drops_every_second_snapshot(count: int) -> None:
    """The first and the newest are kept, and the others are evenly spaced."""
    training = watched(network(), max_snapshots=8)
    for _ in range(count):
        training.record()
    kept = steps(training)
    assert len(kept) <= 8
    assert (kept[0], kept[-1]) == (0, count)
    assert len({after - before for before, after in itertools.pairwise(kept[:-1])}) <= 1
    assert count < 8 or len(kept) >= 5


def test_record_changes_neither_mode_nor_gradients() -> None:
    """Dropout is in training mode before and after, but not while a snapshot is measured."""
    model = Sequential(Linear(2, 4, rng=0), Tanh(), Dropout(0.5, rng=0), Linear(4, 1, rng=1))
    model.train()
    training = watch(model, X, [[float(y)] for y in Y], loss=mse_loss)
    training.record()
    assert all(module.training for module in model.modules())
    assert training.snapshots[0].loss == training.snapshots[1].loss
    assert {p.grad for p in model.parameters()} == {0.0}


# Networks -------------------------------------------------------------------------------------


def _spelled(layer: Linear, x: Any) -> list[Any]:
    """Compute a layer with + and ×, as in micrograd."""
    units = zip(layer.weight, layer.bias or (), strict=True)
    return [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in units]


def _networks() -> dict[str, tuple[Callable[[Any], Any], str, str]]:
    """Return models, the sizes of their layers and their activations."""
    two, three, one = Linear(2, 2, rng=0), Linear(2, 3, rng=0), Linear(3, 1, rng=1)
    last, slope = Linear(2, 1, rng=1), Parameter(0.25)
    skipped = Linear(2, 1, rng=2)
    return {
        "MLP": (MLP(2, [3, 1], "tanh", rng=0), "2-3-1", "tanh units · 13 parameters"),
        "no bias": (Linear(2, 1, bias=False, rng=0), "2-1", "linear units · 2 parameters"),
        "several operations": (Sequential(three, Softplus(2.0), one), "2-3-1", "φ units"),
        "an output": (lambda x: exp(last(x)[0]), "2-1", "exp units · 3 parameters"),
        "probabilities": (lambda x: softmax(three(x)), "2-3", "linear units · 9 parameters"),
        "with + and ×": (
            lambda x: _spelled(one, [tanh(z) for z in _spelled(three, x)])[0],
            "2-3-1",
            "tanh units · 13 parameters",
        ),
        "a skipped layer": (
            lambda x: one([tanh(skipped(x)[0]), *x]),
            "2-1-1",
            "tanh units · 7 parameters",
        ),
        "a scaled input": (lambda x: last([2.0 * x[0], x[1] - 1.0]), "2-1", "3 parameters"),
        "a learned slope": (
            lambda x: last([relu(z) - slope * relu(-z) for z in two(x)]),
            "2-2-1",
            "φ units · 10 parameters",
        ),
    }


@pytest.mark.parametrize("name", _networks())
def test_watch_finds_units_and_activations_of_a_model(name: str, tmp_path: Path) -> None:
    """The summary has the sizes of its layers, activations and parameters."""
    model, sizes, summary = _networks()[name]
    targets = [i % 3 for i in range(4)] if sizes.endswith("3") else [0.5, 2.0, 1.0, 3.0]
    training = watch(model, X, targets, loss=_mean)
    document = training.save(tmp_path / "training.html").read_text(encoding="utf-8")
    assert re.search(rf'id="summary">{sizes} .*\b{summary}\b', document)


def _mean(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the mean square error of predictions, numbers or lists of numbers."""
    flat = [p if isinstance(p, Value) else sum(p) for p in predictions]
    return sum((p - t) ** 2 for p, t in zip(flat, targets, strict=True)) / len(targets)


# Refused models; other errors are in tests/wording -------------------------------------------


def test_watch_refuses_a_model_that_reads_data() -> None:
    """The page would repeat the number of one example."""
    linear = Linear(2, 1, rng=0)
    with pytest.raises(TraceError, match="data"):
        watched(lambda x: linear(x)[0] * linear(x)[0].data)


def test_watch_limit_refuses_large_models() -> None:
    """The error names the limit that suffices."""
    large = MLP(2, [20, 20, 1], rng=0)
    with pytest.raises(GraphTooLargeError, match="limit=501"):
        watched(large, limit=500)
    assert watched(large, limit=501).snapshots


def small(**options: Any) -> TrainingPage:
    """Watch one unit at two points, before training."""
    model = MLP(2, [1], rng=0)
    points = [[0.0, 1.0], [1.0, 0.0]]
    return watch(model, points, [0, 1], loss=binary_cross_entropy_with_logits, **options)


def written(training: TrainingPage, tmp_path: Path, **options: Any) -> str:
    """Return the text of the saved page."""
    return training.save(tmp_path / "training.html", **options).read_text(encoding="utf-8")


def test_watch_threshold_is_0_by_default(tmp_path: Path) -> None:
    """0 is for logits, 0.5 for probabilities."""
    assert written(small(), tmp_path) == written(small(threshold=0.0), tmp_path)


def test_training_page_escapes_names_and_titles(tmp_path: Path) -> None:
    """Names of inputs and classes, and the title, are text."""
    training = small(feature_names=[HOSTILE, "b"], target_names=["c", HOSTILE])
    document = written(training, tmp_path, title=HOSTILE)
    assert "<img" not in document
    assert "default-src 'none'" in document
    assert unescape(re.findall(r"<title>(.*?)</title>", document)[0]) == HOSTILE


def test_training_page_is_reproducible(tmp_path: Path) -> None:
    """So that it can be kept under version control."""
    assert written(small(), tmp_path) == written(small(), tmp_path)


def test_training_page_has_a_table_of_losses_without_javascript(tmp_path: Path) -> None:
    """Also in a notebook that removes frames, such as on GitHub.

    GitHub, and JupyterLab in a notebook that is not trusted, do.
    """
    training = small()
    training.record()
    inside = re.search(r"<noscript>(.*?)</noscript>", written(training, tmp_path), re.DOTALL)
    assert inside is not None
    left = re.sub(r"<iframe.*?</iframe>", "", training._repr_mimebundle_()["text/html"])
    for kept in training.snapshots:
        row = f"<td>{kept.step}</td><td>{kept.loss:.6g}</td>"
        assert row in inside[1]
        assert row in left


def test_training_page_in_a_notebook_is_a_frame(
    tmp_path: Path, unpack_frame: Callable[[str], str]
) -> None:
    """A console shows one line."""
    training = small()
    bundle = training._repr_mimebundle_()
    loss = training.snapshots[0].loss
    assert bundle["text/plain"] == repr(training)
    assert repr(training) == f"<training page of 1 snapshot, step 0: loss {loss:.4g}>"
    assert unpack_frame(bundle["text/html"]) == written(training, tmp_path)
    assert 'sandbox="allow-scripts' in bundle["text/html"]
