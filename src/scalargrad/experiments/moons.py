"""Classify points in the plane: two moons, and exclusive or."""

from __future__ import annotations

from typing import Any

from scalargrad import data
from scalargrad.data import Dataset
from scalargrad.experiments.plan import Plan, Report, train
from scalargrad.losses import accuracy, binary_cross_entropy_with_logits, hinge_loss, l2_penalty
from scalargrad.nn import MLP, Module
from scalargrad.optim import SGD, Adam
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.plots import decision_boundary


def moons(plan: Plan) -> Report:
    """Tell two moons apart with an MLP of 337 parameters, max-margin loss and L2 penalty.

    Gradient descent on all 100 points at once, the learning rate falling from 1 to 0.1 in 100
    epochs, which are all unless the plan says otherwise.

    References
    ----------
    A. Karpathy, micrograd, 2020, whose demo this is.
    """
    points = data.moons(100, 0.1, seed=1337 + plan.seed)
    examples = Dataset(points.inputs, [2 * y - 1 for y in points.targets])
    model = MLP(2, [16, 16, 1], rng=1337 + plan.seed)
    optimizer = SGD(model.parameters(), lr=1.0)

    def results(part: Any) -> list[str]:
        penalty = _weak_penalty(model.parameters()).data
        told = f"{penalty:.2g} of the loss is the L2 penalty, which the training page leaves out"
        return [*_boundary(part, model, examples), *([told] if plan.watch else [])]

    return train(
        plan,
        "moons",
        model,
        examples,
        epochs=100,
        loss=hinge_loss,
        regularizer=_weak_penalty,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=100),
        batch_size=None,
        shuffle=False,
        metrics=[accuracy],
        results=results,
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
    examples = Dataset(points.inputs, [float(y) for y in points.targets])
    model = MLP(2, [4, 1], activation="tanh", rng=plan.seed)
    return train(
        plan,
        "xor",
        model,
        examples,
        epochs=200,
        loss=binary_cross_entropy_with_logits,
        optimizer=Adam(model.parameters(), lr=0.1),
        batch_size=None,
        metrics=[accuracy],
        results=lambda part: _boundary(part, model, points),
    )


def _boundary(part: Any, model: Module, points: Dataset[Any, Any]) -> list[str]:
    """Draw the decision boundary, and return the accuracy."""
    decision_boundary(model, *points, ax=part.subplots())
    hits = accuracy([model(x) for x in points.inputs], points.targets)
    return [f"accuracy {hits:.0%} on the {len(points.inputs)} points"]
