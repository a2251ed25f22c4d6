"""watch a training: its page has the parameters of the model, snapshot by snapshot.

It is one HTML file that needs nothing else.
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

from scalargrad.checks.arguments import function, instance, size, text, whole
from scalargrad.checks.numbers import json_number
from scalargrad.codegen.javascript import javascript_lanes
from scalargrad.engine.grad_mode import no_grad
from scalargrad.errors import NumericalError, OperandError
from scalargrad.nn import Module
from scalargrad.show import html
from scalargrad.show.training.setting import Loss, Model, rectangle, study
from scalargrad.system.short_repr import format_value
from scalargrad.train import History, fit
from scalargrad.train.examples import Examples, detached, examples


class Snapshot(NamedTuple):
    """The model after one step of its training.

    Attributes
    ----------
    step : int
        Steps, or epochs, taken so far.
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


#: The script in the order in which its parts build on each other.
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

    With `epochs` the model is trained here, by `fit`. Without, the page waits for a training of
    your own: give it to `fit` among the callbacks, or call ``page.record()`` after each step.
    Then ``page.save("training.html")`` writes a page that moves through the snapshots.

    Parameters
    ----------
    model : Module, or callable
        From a list of floats to a Value or a list of them, made of units activation(dot(w, x, b)),
        such as an MLP, or a Sequential of Linear and activations; the sum may be written with
        + and ×.
    X : sequence of n inputs of one length
        The examples that are shown. Of an array, the rows.
    y : sequence of n targets
        With one output, 0 and 1, or -1 and 1, mean two classes; with k outputs, 0 … k - 1 mean k
        classes; anything else is regression: a number, or a list of one for each output.
    loss : callable
        ``loss(predictions, targets)``, the mean over examples, as for `fit`.
    optimizer : object with param_groups, optional
        Trains the model here; otherwise only its learning rate is noted.
    epochs : int, optional
        How many epochs to train.
    threshold : float
        A single output above it means class 1: 0 for logits and margins, 0.5 for probabilities.
    plane : (int, int)
        Which inputs span the plane that is shown. Others are held at their means in it, or at those
        of the example that is selected.
    feature_names, target_names : sequences of str, optional
        What inputs and classes are called; by default the columns of a DataFrame, and the labels
        themselves.
    max_snapshots : int
        The most snapshots to keep, at least 2. When there are more, every second one is dropped.
    limit : int
        The most parameters a model may have.
    **options
        With `epochs`: passed on to `fit`.

    Returns
    -------
    TrainingPage

    Raises
    ------
    OperandError
        If examples, names or options do not fit together, or the model has no such units.
    TraceError
        If the model or the loss does what a page cannot repeat, such as an `if` on a computed
        number.
    GraphTooLargeError
        If there are more parameters than `limit`, or more than 1,000 examples.
    MissingPackageError
        If NumPy is not installed.

    Notes
    -----
    The page is given the parameters of each snapshot with every digit, and what model and loss
    compute; it computes activations, boundary and gradients itself. Each snapshot costs one
    prediction for each example. The page can also train the network again, with another learning
    rate or other sizes of hidden layers: on all examples at once, by the rule of `optimizer`
    (gradient descent by default), without a penalty or a schedule. Layers can be resized where
    the model is a plain stack of them; nothing can be changed where a page cannot repeat the
    optimiser's rule. Ctrl-C ends the training as it ends that of `fit`, and so do numbers that
    are no longer finite: the page is returned with the snapshots it has, and `stopped` says why.
    Every other error is raised.

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
    epochs = None if epochs is None else size(epochs, "epochs", 1)
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
            raise OperandError(f"{next(iter(options))} is an option of training: give epochs too")
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
    """A model in training, kept snapshot by snapshot; made by `watch`.

    A training page is a callback of `fit`, which then keeps a snapshot for each epoch; in a loop
    of your own, call `record` after each step.

    Attributes
    ----------
    snapshots : sequence of Snapshot
        The snapshots kept. The first was taken when the training page was made.
    parameters : list of Value
        The parameters of the model, whose numbers a snapshot has in this order.
    stopped : str
        Why training ended before all its epochs were done; empty where it did not.

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
        function(loss, "loss", "scalargrad.losses.mse_loss, say")
        max_snapshots = whole(max_snapshots, "max_snapshots", 2)
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._data = Examples(rectangle(data.inputs), data.targets)
        self._max_snapshots, self._stride, self._count = max_snapshots, 1, 0
        self._history: History | None = None
        self._unit = "step"
        self.stopped = ""
        self._snapshots: list[Snapshot] = []
        with _evaluating(model):
            self._setting, self.parameters = study(
                model, self._data, loss, optimizer=optimizer, **shown
            )
        self.record()

    # Recording --------------------------------------------------------------------------------

    def record(self, step: int | None = None) -> None:
        """Keep the model as it is now as the next snapshot.

        Parameters
        ----------
        step : int, optional
            How many steps were taken so far; by default one more than in the last snapshot.

        Raises
        ------
        OperandError
            If `step` is not beyond that of the last snapshot.

        Notes
        -----
        The loss is computed on all examples of the page, with the model in evaluation mode. When
        there are more snapshots than the page may have, every second one is dropped, and from
        then on only every second call is kept; the first and the newest always are.
        """
        last = self._snapshots[-1].step if self._snapshots else -1
        step = last + 1 if step is None else whole(step, "step")
        if step <= last:
            raise OperandError(
                f"step is {step}, but the last snapshot is of step {last}: give a later one"
            )
        self._keep(step, self._rate())

    def __call__(self, model: Module, history: History) -> None:
        """Keep a snapshot after an epoch: what `fit` calls."""
        del model
        self._history = instance(history, "history", History, "what fit returns")
        self._unit = "epoch"
        step = max(len(history), self._snapshots[-1].step + 1)
        self._keep(step, history.rows[-1].get("learning_rate", self._rate()))

    def _keep(self, step: int, rate: float | None) -> None:
        """Keep a snapshot with the loss on all examples; drop others if there are too many."""
        with no_grad(), _evaluating(self._model):
            answers = [self._model(x) for x in self._data.inputs]
            loss = float(detached(self._loss(answers, self._data.targets)))
        numbers = array("d", [parameter.data for parameter in self.parameters])
        if self._snapshots and (self._count - 1) % self._stride:
            self._snapshots.pop()  # it was kept only while it was the newest
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
        """The snapshots kept, the first and the newest among them."""
        return tuple(self._snapshots)

    @property
    def history(self) -> History:
        """The measurements of `fit`; for a loop of your own, the loss of each snapshot, by step."""
        if self._history is not None:
            return self._history
        rows = [{"epoch": float(kept.step), "loss": kept.loss} for kept in self._snapshots]
        return History(rows, self.stopped)

    def __repr__(self) -> str:
        first, last = self._snapshots[0], self._snapshots[-1]
        count, unit = len(self._snapshots), self._unit
        if count == 1:
            return f"<training page of 1 snapshot, {unit} {first.step}: loss {first.loss:.4g}>"
        stopped = f", stopped: {self.stopped}" * bool(self.stopped)
        return (
            f"<training page of {count} snapshots, {unit} {first.step} to {last.step}: "
            f"loss {first.loss:.4g} → {last.loss:.4g}{stopped}>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the page in a notebook, with the losses below for viewers that remove frames."""
        beneath = ("The losses as a table", self.history._repr_html_())
        title = "A network in training, step by step"
        inside = html.frame(self._page(None), title, 760, beneath=beneath)
        return {"text/plain": repr(self), "text/html": inside}

    def save(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write the page: one HTML file that works offline. Open it in any browser.

        Parameters
        ----------
        path : str or path
            Ends in .html.
        title : str, optional
            The heading; by default it names the network.

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        LayoutError
            If the name does not end in .html.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file appears under its name only when it is complete. It takes about 11 bytes for
        each parameter of each snapshot: they are kept with every digit. It fetches nothing, and its
        Content-Security-Policy forbids it to.
        """
        title = None if title is None else text(title, "title")
        return html.save(path, lambda: self._page(title))

    def _page(self, title: str | None) -> str:
        summary = [*self._setting.summary, *([f"stopped: {self.stopped}"] if self.stopped else [])]
        kept = {
            "steps": [snapshot.step for snapshot in self._snapshots],
            "losses": [json_number(snapshot.loss) for snapshot in self._snapshots],
            "rates": [json_number(snapshot.learning_rate) for snapshot in self._snapshots],
            "parameters": b64encode(b"".join(x.parameters for x in self._snapshots)).decode(),
        }
        recorded = {**self._setting.recorded, "unit": self._unit, "snapshots": kept}
        return html.page(
            __package__,
            "training",
            _SCRIPTS,
            javascript_lanes(self._setting.operations),
            recorded,
            title=title or "Training a network",
            summary=escape(" · ".join(summary)),
            table=self.history._repr_html_(),
        )


@contextmanager
def _evaluating(model: Model) -> Iterator[None]:
    """Put the modules of a model in evaluation mode, then back in the mode each was in."""
    modules = model.modules() if isinstance(model, Module) else []
    before = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, before, strict=True):
            module.training = mode
