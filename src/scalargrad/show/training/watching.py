"""`watch`: show a model in training as a training page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.errors import NumericalError, OperandError
from scalargrad.show.training.model_record import Loss
from scalargrad.show.training.training_page import TrainingPage
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import size
from scalargrad.train import fit
from scalargrad.train.examples import examples
from scalargrad.train.trainer import OptimizerLike


def watch(
    model: Any,
    X: Sequence[Sequence[float]],  # noqa: N803 - the field's name for the inputs
    y: Sequence[Any],
    *,
    loss: Loss,
    optimizer: OptimizerLike | None = None,
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
        raise OperandError(f"model is {shown(model)}; give a Module, or a function of an input")
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
    if optimizer is None:
        raise OperandError("epochs is given, but no optimizer to train with: give optimizer, too")
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
