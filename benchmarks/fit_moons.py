"""Train the moons network by `fit`, eagerly and compiled, beside a loop over PyTorch's modules.

MLP(2, [16, 16, 1]), 337 parameters, max-margin loss with L2 penalty, float64, one thread and core:
once by gradient descent on all 100 points, 100 epochs, and once by Adam on batches of 10, 20
epochs. Each contestant trains from the same parameters on the same batches, recording included,
and must end with the same loss. Processor time is compared. Run with

    python -m benchmarks.fit_moons [--turns N]

PyTorch is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks.measuring import in_units, pin, take_turns
from benchmarks.moons.problem import PENALTY, WIDTHS, Problem, layers, moons
from scalargrad import losses, nn, optim
from scalargrad.train import fit

Contestant = Callable[[], float]


class Plan(NamedTuple):
    """How the network is trained: by which optimiser, for how long, on batches of which size."""

    title: str
    optimizer: str
    options: dict[str, float]
    epochs: int
    batch_size: int


PLANS = (
    Plan("gradient descent on 100 points", "SGD", {"lr": 0.1}, 100, 100),
    Plan("Adam on batches of 10", "Adam", {"lr": 0.01}, 20, 10),
)


def penalty(parameters: list[Any]) -> Any:
    """Return the L2 penalty."""
    return PENALTY * losses.l2_penalty(parameters)


def by_fit(plan: Plan, problem: Problem, jit: bool | None) -> Contestant:
    """Return training by `fit`."""

    def run() -> float:
        model = nn.MLP(WIDTHS[0], list(WIDTHS[1:]))
        for parameter, number in zip(model.parameters(), problem.parameters, strict=True):
            parameter.data = number
        history = fit(
            model,
            problem.points,
            problem.labels,
            loss=losses.hinge_loss,
            regularizer=penalty,
            optimizer=getattr(optim, plan.optimizer)(model.parameters(), **plan.options),
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            shuffle=False,
            quiet=True,
            jit=jit,
        )
        return history["loss"][-1]

    return run


def by_pytorch(plan: Plan, problem: Problem) -> Contestant:
    """Return a loop over PyTorch's modules and optimiser."""
    import torch

    torch.set_num_threads(1)
    xs = torch.tensor(problem.points, dtype=torch.float64)
    ys = torch.tensor(problem.labels, dtype=torch.float64)

    def run() -> float:
        model = _pytorch_model(problem)
        parameters = list(model.parameters())
        optimizer = getattr(torch.optim, plan.optimizer)(parameters, **plan.options)
        for _ in range(plan.epochs):
            total = 0.0
            for start in range(0, len(xs), plan.batch_size):
                rows = slice(start, start + plan.batch_size)
                margin = (1 - ys[rows] * model(xs[rows])[:, 0]).relu().mean()
                loss = margin + PENALTY * sum((p * p).sum() for p in parameters)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(xs[rows])
        return total / len(xs)

    return run


def _pytorch_model(problem: Problem) -> Any:
    import torch

    parts: list[Any] = []
    for weights, biases in layers(problem.parameters):
        layer = torch.nn.Linear(len(weights[0]), len(weights), dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights))
            layer.bias.copy_(torch.tensor(biases))
        parts += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def contestants(plan: Plan, problem: Problem) -> Iterator[tuple[str, Contestant]]:
    """Yield who trains, by name."""
    yield "fit, jit=False", by_fit(plan, problem, jit=False)
    yield "fit", by_fit(plan, problem, jit=None)
    yield "fit, jit=True", by_fit(plan, problem, jit=True)
    try:
        yield "PyTorch's loop", by_pytorch(plan, problem)
    except ImportError as error:
        print(f"PyTorch is left out: {error}")


def compare(plan: Plan, turns: int) -> None:
    """Train in turns, and print what a run takes and, of the fast ones, a further step."""
    runs = dict(contestants(plan, moons()))
    found = {name: run() for name, run in runs.items()}
    expected = found["fit, jit=False"]
    assert all(math.isclose(x, expected, rel_tol=1e-6) for x in found.values()), found
    times = take_turns(runs, turns, clock=time.process_time)
    print(plan.title)
    for name, seconds in times.items():
        ratio = times["fit, jit=False"] / seconds
        print(f"  {name:15} {in_units(seconds):>8} a run, {ratio:5.1f} × as fast as eager")
    for name, seconds in further_steps(plan, times, turns).items():
        print(f"  {name:15} {in_units(seconds):>8} a further step")


def further_steps(plan: Plan, times: dict[str, float], turns: int) -> dict[str, float]:
    """Return the seconds of a step once all is recorded, from runs that are five times as long."""
    longer = dict(contestants(plan._replace(epochs=5 * plan.epochs), moons()))
    fast = {name: run for name, run in longer.items() if name not in {"fit", "fit, jit=False"}}
    steps = 4 * plan.epochs * -(-100 // plan.batch_size)
    found = take_turns(fast, turns, clock=time.process_time)
    return {name: (seconds - times[name]) / steps for name, seconds in found.items()}


def main() -> None:
    """Compare on both plans."""
    parser = argparse.ArgumentParser(description="Measure fit on the moons network.")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="turns per contestant")
    turns = parser.parse_args().turns
    print(pin())
    for plan in PLANS:
        compare(plan, turns)


if __name__ == "__main__":
    main()
