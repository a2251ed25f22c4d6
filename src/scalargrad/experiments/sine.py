"""Fit a cubic polynomial to a sine: the training program of UCSB's lecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad import data
from scalargrad.experiments.plan import Plan, Report, train
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear, Module
from scalargrad.optim import SGD
from scalargrad.plots.style import BLUE, ORANGE, legend_above, styled
from scalargrad.show.number_format import polynomial
from scalargrad.train import History


class Cubic(Module):
    """The polynomial a + bx + cx² + dx³, linear in its four parameters.

    Examples
    --------
    >>> cubic = Cubic(rng=0)
    >>> len(cubic.parameters())
    4
    >>> sorted(cubic.state_dict())
    ['linear.bias', 'linear.weight']
    """

    def __init__(self, rng: Any = None) -> None:
        self.linear = Linear(3, 1, rng=rng)

    def forward(self, x: Sequence[float]) -> Any:
        """Compute the polynomial at the one number in `x`; returns a list of one Value."""
        (number,) = x
        return self.linear([number, number**2, number**3])

    def example_input(self) -> list[float]:
        """Return one number."""
        return [1.0]

    def __str__(self) -> str:
        a = self.linear.bias[0].data if self.linear.bias else 0.0
        return f"y = {polynomial([a, *(w.data for w in self.linear.weight[0])])}"


def squared_error(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the sum of squared errors, which UCSB's program minimises."""
    return mse_loss(predictions, targets, reduction="sum")


def _print_every_hundredth(_: Module, history: History) -> None:
    """Print the step and its loss, as UCSB's program does."""
    if len(history) % 100 == 0:
        print(f"{len(history):>6}  {history['loss'][-1]:.4f}")


def sine(plan: Plan) -> Report:
    """Fit a cubic to sin on 2,000 points of [-π, π] by gradient descent.

    All points at once, at learning rate 10⁻⁶ on the *sum* of squared errors; 2,000 epochs
    unless the plan says otherwise. Every hundredth step is printed, unless the plan is quiet.
    """
    points = data.sine(2000)
    model = Cubic(rng=plan.seed)

    def results(part: Any) -> list[str]:
        axes, every = part.subplots(), points.inputs[::20]
        xs = [x for (x,) in every]
        sine = axes.plot(xs, points.targets[::20], color=ORANGE, ls="--", label="sin x")
        cubic = axes.plot(xs, [model(x)[0].data for x in every], color=BLUE, label=str(model))
        axes.set(xlabel="x, radians", ylabel="y")
        legend_above(styled(axes), "The sine and the cubic fitted to it", [*sine, *cubic])
        return [f"Result: {model}"]

    return train(
        plan,
        "sine",
        model,
        (points.inputs, [[y] for y in points.targets]),
        epochs=2000,
        loss=squared_error,
        optimizer=SGD(model.parameters(), lr=1e-6),
        batch_size=None,
        shuffle=False,
        callbacks=() if plan.quiet else (_print_every_hundredth,),
        results=results,
    )
