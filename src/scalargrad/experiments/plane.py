"""Classify points in the plane: two moons, and exclusive or."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalargrad import data
from scalargrad.data import Dataset
from scalargrad.experiments.plan import Plan, Report, draw_training, report
from scalargrad.losses import accuracy, binary_cross_entropy_with_logits, hinge_loss, l2_penalty
from scalargrad.nn import MLP, Module
from scalargrad.optim import SGD, Adam
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.plots import decision_boundary
from scalargrad.show.training import TrainingPage, watch
from scalargrad.train import History, fit
from scalargrad.train.objective import Loss
from scalargrad.train.settings import OptimizerLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def moons(plan: Plan) -> Report:
    """Tell two moons apart with an MLP of 337 parameters, max-margin loss and L2 penalty.

    Gradient descent on all 100 points at once, the learning rate falling from 1 to 0.1 in 100
    epochs, which are all unless the plan says otherwise.

    References
    ----------
    A. Karpathy, micrograd, 2020, whose demo this is.
    """
    points = data.moons(100, 0.1, seed=1337 + plan.seed)
    labels = [2 * y - 1 for y in points.targets]
    examples = Dataset(points.inputs, labels)
    model = MLP(2, [16, 16, 1], rng=1337 + plan.seed)
    options = plan.options("moons", 100)
    optimizer = SGD(model.parameters(), lr=plan.rate(1.0))
    pages = _training(plan, model, examples, hinge_loss, optimizer)
    history = fit(
        model,
        *examples,
        loss=hinge_loss,
        callbacks=pages,
        regularizer=_weak_penalty,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=100),
        batch_size=None,
        shuffle=False,
        metrics=[accuracy],
        **options,
    )
    penalty = _weak_penalty(model.parameters()).data
    told = f"{penalty:.2g} of the loss is the L2 penalty, which the training page leaves out"
    return _plane_report(
        plan, "moons", model, history, examples, pages=pages, told=[told] if pages else []
    )


def _weak_penalty(parameters: list[Any]) -> Any:
    return 1e-4 * l2_penalty(parameters)


def xor(plan: Plan) -> Report:
    """Learn exclusive or with four hidden units, which no perceptron can.

    Adam on all four points at once; 200 epochs unless the plan says otherwise.

    References
    ----------
    Minsky and Papert, Perceptrons, 1969.
    """
    points = data.xor()
    model = MLP(2, [4, 1], activation="tanh", rng=plan.seed)
    optimizer = Adam(model.parameters(), lr=plan.rate(0.1))
    pages = _training(plan, model, points, binary_cross_entropy_with_logits, optimizer)
    history = fit(
        model,
        points.inputs,
        [float(y) for y in points.targets],
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        callbacks=pages,
        batch_size=None,
        metrics=[accuracy],
        **plan.options("xor", 200),
    )
    return _plane_report(plan, "xor", model, history, points, pages=pages)


def _training(
    plan: Plan,
    model: Module,
    points: Dataset[list[float], int],
    loss: Loss,
    optimizer: OptimizerLike,
) -> list[TrainingPage]:
    """Return the training page that the plan asks for, if it asks for one."""
    return [] if plan.watch is None else [watch(model, *points, loss=loss, optimizer=optimizer)]


def _plane_report(
    plan: Plan,
    name: str,
    model: Module,
    history: History,
    points: Dataset[list[float], int],
    *,
    pages: list[TrainingPage],
    told: Sequence[str] = (),
) -> Report:
    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_training(history, left)
        decision_boundary(model, *points, ax=right)

    hits = accuracy([model(x) for x in points.inputs], points.targets)
    summary = [f"accuracy {hits:.0%} on the {len(points.inputs)} points", *told]
    found = report(plan, name, model, history, draw=draw, summary=summary)
    title = f"Training on {name}"
    saved = [page.save(plan.watch, title=title) for page in pages if plan.watch is not None]
    return found._replace(files=[*found.files, *saved])
