"""Watch a training run: `watch` returns a `TrainingPage`, which collects snapshots of a model.

A snapshot has the parameters of the model after a step, and the loss. `TrainingPage.save` combines
the snapshots with the recorded model (`training_setup`) in one self-contained HTML file.
"""

from __future__ import annotations

import os
from array import array
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from scalargrad.checks.arguments import (
    check_function,
    check_instance,
    check_integer,
    check_size,
    check_text,
)
from scalargrad.checks.numbers import json_number
from scalargrad.codegen.javascript import javascript_lanes
from scalargrad.engine.grad_mode import no_grad
from scalargrad.errors import NumericalError, OperandError
from scalargrad.nn import Module
from scalargrad.show import html
from scalargrad.show.training.training_setup import Loss, Model, check_inputs, record_training_setup
from scalargrad.system.short_repr import format_value
from scalargrad.train import History, fit
from scalargrad.train.examples import Examples, detach_values, examples


class Snapshot(NamedTuple):
    """The model after one step of training.

    Attributes
    ----------
    step : int
        The number of steps or epochs so far.
    loss : float
        The loss over all examples.
    learning_rate : float or None
        The learning rate of the last step, if known.
    parameters : array of float
        The parameters, in full precision.
    """

    step: int
    loss: float
    learning_rate: float | None
    parameters: array[float]


#: The scripts, each after those that it uses.
_SCRIPTS = (
    *("state", "training", "picture", "network", "plane", "curve"),
    *("story", "timeline", "main"),
)


def watch(
    model: Any,
    X: Sequence[Sequence[float]],  # noqa: N803 - the field's name for the inputs
    y: Sequence[Any],
    *,
    loss: Loss,
    optimizer: Any = None,
    epochs: int | None = None,
    threshold: float = 0.0,
    plane: tuple[int, int] = (0, 1),
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    max_snapshots: int = 200,
    limit: int = 2000,
    **options: Any,
) -> TrainingPage:
    """Watch a small network in training: units, weights, boundary and loss, step by step.

    With `epochs`, `watch` trains the model by `fit`. Without, pass the page to `fit` as a callback,
    or call ``page.record()`` after each step of your own loop. Then ``page.save("training.html")``
    saves a page that moves through the snapshots.

    Parameters
    ----------
    model : Module, or callable
        Maps a list of floats to a Value or a list of Values. It must consist of units
        activation(dot(w, x, b)), as an MLP, or a Sequential of Linear and activations; the sums may
        be written with + and ×.
    X : sequence of n inputs of one length
        The examples, or an array of them.
    y : sequence of n targets
        With one output, 0 and 1, or -1 and 1, mean two classes; with k outputs, 0 … k - 1 mean k
        classes; anything else is regression: a number, or a list of one for each output.
    loss : callable
        ``loss(predictions, targets)``, the mean over examples, as for `fit`.
    optimizer : object with param_groups, optional
        Trains the model if `epochs` is given; else only its learning rate is recorded.
    epochs : int, optional
        The number of epochs to train.
    threshold : float
        A single output above it means class 1: 0 for logits and margins, 0.5 for probabilities.
    plane : (int, int)
        The inputs that span the plane. The others have their means, or their values in the
        selected example.
    feature_names, target_names : sequences of str, optional
        The names of inputs and classes; by default the columns of a DataFrame, and the labels.
    max_snapshots : int
        Maximum number of snapshots, at least 2. If there are more, every second one is dropped.
    limit : int
        Maximum number of parameters of the model.
    **options
        With `epochs`, further options of `fit`.

    Returns
    -------
    TrainingPage

    Raises
    ------
    OperandError
        If examples, names or options do not match, or the model does not consist of units.
    TraceError
        If the model or the loss does something that a page cannot repeat, such as an `if` on a
        computed number.
    GraphTooLargeError
        If there are more parameters than `limit`, or more than 1,000 examples.
    MissingPackageError
        If NumPy is not installed.

    Notes
    -----
    The page has the parameters of each snapshot with all digits, and the recorded model and loss;
    it computes activations, boundary and gradients itself. Each snapshot costs one prediction for
    each example. The page can also train the network again, with another learning rate or other
    sizes of hidden layers: on all examples at once, by the rule of `optimizer` (gradient descent by
    default), without a penalty or a schedule. Layers can be resized if the model is a plain stack
    of layers; nothing can be changed if a page cannot repeat the optimizer's rule. Ctrl-C ends the
    training, as for `fit`, and so do numbers that are not finite: the page is returned with the
    snapshots so far, and `stopped` has the reason. Other errors are raised.

    Examples
    --------
    >>> from scalargrad import data, watch
    >>> from scalargrad.losses import binary_cross_entropy_with_logits
    >>> from scalargrad.nn import MLP
    >>> from scalargrad.optim import Adam
    >>> model = MLP(2, [4, 1], activation="tanh", rng=0)
    >>> page = watch(model, *data.xor(), loss=binary_cross_entropy_with_logits,
    ...              optimizer=Adam(model.parameters(), lr=0.1), epochs=60, quiet=True)
    >>> page
    <training page of 61 snapshots, epoch 0 to 60: loss 0.6996 → 0.002898>
    """
    if not callable(model) or isinstance(model, type):
        raise OperandError(
            f"model is {format_value(model)}; give a Module, or a function of an input"
        )
    epochs = None if epochs is None else check_size(epochs, "epochs", 1)
    page = TrainingPage(
        model,
        examples(X, y, "watch"),
        loss,
        optimizer=optimizer,
        threshold=threshold,
        plane=plane,
        feature_names=getattr(X, "columns", None) if feature_names is None else feature_names,
        target_names=target_names,
        max_snapshots=max_snapshots,
        limit=limit,
    )
    if epochs is None:
        if options:
            raise OperandError(
                f"{next(iter(options))} is an option of fit, which needs epochs: give epochs too"
            )
        return page
    callbacks = [page, *options.pop("callbacks", ())]
    try:
        history = fit(
            model,
            X,
            y,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            callbacks=callbacks,
            **options,
        )
        page.stopped = "" if len(history) >= epochs else history.stopped
    except NumericalError as error:
        page.stopped = str(error)
    return page


class TrainingPage:
    """The snapshots of a model in training, and the page that shows them; created by `watch`.

    A training page is a callback of `fit`, and records a snapshot after each epoch. In your own
    loop, call `record` after each step.

    Attributes
    ----------
    snapshots : sequence of Snapshot
        The snapshots. The first is from the creation of the training page.
    parameters : list of Value
        The parameters of the model, in the order of the numbers in a snapshot.
    stopped : str
        The reason if training ended before the last epoch; else empty.

    Examples
    --------
    >>> from scalargrad import watch
    >>> from scalargrad.losses import mse_loss
    >>> from scalargrad.nn import MLP
    >>> model = MLP(1, [1], rng=0)
    >>> page = watch(model, [[0.0], [1.0]], [1.0, 3.0], loss=mse_loss)
    >>> model.layers[0].neurons[0].b.data = 1.0
    >>> page.record()
    >>> page
    <training page of 2 snapshots, step 0 to 1: loss 3.171 → 0.8596>
    """

    def __init__(
        self,
        model: Model,
        data: Examples,
        loss: Loss,
        *,
        optimizer: Any,
        max_snapshots: int,
        **shown: Any,
    ) -> None:
        check_function(loss, "loss", "scalargrad.losses.mse_loss, say")
        max_snapshots = check_integer(max_snapshots, "max_snapshots", 2)
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._data = Examples(check_inputs(data.inputs), data.targets)
        self._max_snapshots, self._stride, self._count = max_snapshots, 1, 0
        self._history: History | None = None
        self._step_name = "step"
        self.stopped = ""
        self._snapshots: list[Snapshot] = []
        with _evaluation_mode(model):
            self._setup, self.parameters = record_training_setup(
                model, self._data, loss, optimizer=optimizer, **shown
            )
        self.record()

    # Recording --------------------------------------------------------------------------------

    def record(self, step: int | None = None) -> None:
        """Record the current model as the next snapshot.

        Parameters
        ----------
        step : int, optional
            The number of steps so far; by default one more than in the last snapshot.

        Raises
        ------
        OperandError
            If `step` is not larger than that of the last snapshot.

        Notes
        -----
        The loss is computed on all examples of the page, with the model in evaluation mode. If
        there are more than `max_snapshots`, every second snapshot is dropped, and from then on
        only every second call is kept; the first and the newest are always kept.
        """
        last = self._snapshots[-1].step if self._snapshots else -1
        step = last + 1 if step is None else check_integer(step, "step")
        if step <= last:
            raise OperandError(
                f"step is {step}, but the last snapshot is of step {last}: give a larger number"
            )
        self._append_snapshot(step, self._rate())

    def __call__(self, model: Module, history: History) -> None:
        """Record a snapshot after an epoch; called by `fit`."""
        del model
        self._history = check_instance(history, "history", History, "what fit returns")
        self._step_name = "epoch"
        step = max(len(history), self._snapshots[-1].step + 1)
        self._append_snapshot(step, history.rows[-1].get("learning_rate", self._rate()))

    def _append_snapshot(self, step: int, rate: float | None) -> None:
        """Append a snapshot with the loss on all examples; drop others if there are too many."""
        with no_grad(), _evaluation_mode(self._model):
            answers = [self._model(x) for x in self._data.inputs]
            loss = float(detach_values(self._loss(answers, self._data.targets)))
        numbers = array("d", [parameter.data for parameter in self.parameters])
        if self._snapshots and (self._count - 1) % self._stride:
            self._snapshots.pop()  # which was only kept as the newest
        self._snapshots.append(Snapshot(step, loss, rate, numbers))
        self._count += 1
        if len(self._snapshots) > self._max_snapshots:
            self._stride *= 2
            newest = [self._snapshots[-1]] if len(self._snapshots) % 2 == 0 else []
            self._snapshots = self._snapshots[::2] + newest

    def _rate(self) -> float | None:
        groups = getattr(self._optimizer, "param_groups", None)
        return float(groups[0]["lr"]) if groups else None

    # Results ----------------------------------------------------------------------------------

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The snapshots, including the first and the newest."""
        return tuple(self._snapshots)

    @property
    def history(self) -> History:
        """The history of `fit`, or the loss of each snapshot by step for your own loop."""
        if self._history is not None:
            return self._history
        rows = [{"epoch": float(x.step), "loss": x.loss} for x in self._snapshots]
        return History(rows, self.stopped)

    def __repr__(self) -> str:
        first, last = self._snapshots[0], self._snapshots[-1]
        count, name = len(self._snapshots), self._step_name
        if count == 1:
            return f"<training page of 1 snapshot, {name} {first.step}: loss {first.loss:.4g}>"
        stopped = f", stopped: {self.stopped}" * bool(self.stopped)
        return (
            f"<training page of {count} snapshots, {name} {first.step} to {last.step}: "
            f"loss {first.loss:.4g} → {last.loss:.4g}{stopped}>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return the page for a notebook, followed by the losses for viewers that remove frames."""
        fallback = ("The losses as a table", self.history._repr_html_())
        title = "A network in training, step by step"
        inside = html.notebook_frame(self._page(None), title, 760, fallback=fallback)
        return {"text/plain": repr(self), "text/html": inside}

    def save(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Save the page: one HTML file, for any browser, that works offline.

        Parameters
        ----------
        path : str or path
            The file name, which must end in .html.
        title : str, optional
            The heading; by default "Training a network".

        Returns
        -------
        Path
            The path of the file.

        Raises
        ------
        LayoutError
            If the name does not end in .html.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file is written atomically. It takes about 11 bytes for each parameter of each snapshot,
        with all digits. It loads nothing from the network, and its Content-Security-Policy forbids
        it.
        """
        title = None if title is None else check_text(title, "title")
        return html.save_page(path, lambda: self._page(title))

    def _page(self, title: str | None) -> str:
        summary = [*self._setup.summary, *([f"stopped: {self.stopped}"] if self.stopped else [])]
        snapshots = {
            "steps": [snapshot.step for snapshot in self._snapshots],
            "losses": [json_number(snapshot.loss) for snapshot in self._snapshots],
            "rates": [json_number(snapshot.learning_rate) for snapshot in self._snapshots],
            "parameters": b64encode(b"".join(x.parameters for x in self._snapshots)).decode(),
        }
        recorded = {**self._setup.recorded, "stepName": self._step_name, "snapshots": snapshots}
        return html.render_page(
            __package__,
            "training",
            _SCRIPTS,
            javascript_lanes(self._setup.operations),
            recorded,
            title=title or "Training a network",
            summary=escape(" · ".join(summary)),
            table=self.history._repr_html_(),
        )


@contextmanager
def _evaluation_mode(model: Model) -> Iterator[None]:
    """Put the modules of a model in evaluation mode, and restore their modes afterwards."""
    modules = model.modules() if isinstance(model, Module) else []
    before = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, before, strict=True):
            module.training = mode
