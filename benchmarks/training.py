"""Training by `fit` as it is by default, and a step of Adam, beside PyTorch on one thread.

Digits of 8 × 8 pixels, a network of 64-64-64-10, 30 epochs; breast cancer, 30-100-100-1, 20 epochs;
both by Adam on batches of 32, recording included. `fit` and a loop over PyTorch's modules, in
float64, start from the same parameters, meet the same batches and must end with the same loss. The
step of Adam moves 41,001 parameters that have their gradients. Processor time, in turns in one
process; run with

    python -m benchmarks.training [--turns N] [--write FILE]

`--write` replaces the section between ``<!-- training -->`` and ``<!-- /training -->`` of a
Markdown file.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import in_units, pack_anew, pin, take_turns
from benchmarks.reporting import Finding, as_markdown, gathered, replace_section
from scalargrad import losses, nn, optim
from scalargrad.train import fit

RATE, BATCH, SEED = 1e-3, 32, 0
AGAIN = "a further network of the same shape, as in a cross-validation"


class Task(NamedTuple):
    """Examples, a network and how long it is trained."""

    title: str
    inputs: list[list[float]]
    targets: list[Any]
    widths: tuple[int, ...]
    loss: str
    epochs: int
    goal: float


def tasks() -> Iterator[Task]:
    """Yield both tasks; scikit-learn has their data."""
    from sklearn.datasets import load_breast_cancer, load_digits

    digits = load_digits()
    yield Task(
        "`fit`, digits 64-64-64-10, 30 epochs",
        (digits.data / 16.0).tolist(),
        digits.target.tolist(),
        (64, 64, 64, 10),
        "cross_entropy",
        30,
        1.0,
    )
    cancer = load_breast_cancer()
    scaled = (cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0)
    yield Task(
        "`fit`, breast cancer 30-100-100-1, 20 epochs",
        scaled.tolist(),
        [[float(y)] for y in cancer.target],
        (30, 100, 100, 1),
        "binary_cross_entropy_with_logits",
        20,
        2.0,
    )


def network(widths: Sequence[int]) -> nn.MLP:
    """Return the network, the same each time."""
    return nn.MLP(widths[0], [*widths[1:]], rng=SEED)


def by_fit(task: Task) -> Callable[[], float]:
    """Return training by `fit`."""

    def run() -> float:
        model = network(task.widths)
        history = fit(
            model,
            task.inputs,
            task.targets,
            loss=getattr(losses, task.loss),
            optimizer=optim.Adam(model.parameters(), lr=RATE),
            epochs=task.epochs,
            batch_size=BATCH,
            seed=SEED,
            quiet=True,
        )
        return history["loss"][-1]

    return run


def by_pytorch(task: Task) -> Callable[[], float]:
    """Return a loop over PyTorch's modules, on the batches that `fit` draws."""
    import torch

    torch.set_num_threads(1)
    inputs = torch.tensor(task.inputs, dtype=torch.float64)
    labels = task.loss == "cross_entropy"
    targets = torch.tensor(task.targets, dtype=torch.int64 if labels else torch.float64)
    loss_of = getattr(torch.nn.functional, task.loss)

    def run() -> float:
        model = pytorch_model(task.widths)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        rng, total = random.Random(SEED), 0.0
        for _ in range(task.epochs):
            order, total = list(range(len(inputs))), 0.0
            rng.shuffle(order)
            drawn = torch.tensor(order)
            for start in range(0, len(order), BATCH):
                rows = drawn[start : start + BATCH]
                loss = loss_of(model(inputs[rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
        return total / len(inputs)

    return run


def pytorch_model(widths: Sequence[int]) -> Any:
    """Return the same network of PyTorch's modules, with the same parameters."""
    import torch

    parts: list[Any] = []
    for numbers in _layers(network(widths)):
        weights = torch.tensor([row for row, _ in numbers], dtype=torch.float64)
        layer = torch.nn.Linear(weights.shape[1], weights.shape[0], dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(weights)
            layer.bias.copy_(torch.tensor([b for _, b in numbers]))
        parts += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def _layers(model: nn.MLP) -> list[list[tuple[list[float], float]]]:
    """Return weights and bias of each neuron of each layer."""
    return [[([w.data for w in n.w], n.b.data) for n in layer.neurons] for layer in model.layers]


def step_of_adam() -> dict[str, Callable[[], object]]:
    """Return a step over 41,001 parameters, ours and PyTorch's."""
    import torch

    torch.set_num_threads(1)
    widths = (2, 200, 200, 1)
    ours, theirs = network(widths), pytorch_model(widths)
    for p in ours.parameters():
        p.grad = 0.1
    for tensor in theirs.parameters():
        tensor.grad = torch.full_like(tensor, 0.1)
    steps = optim.Adam(ours.parameters()), torch.optim.Adam(theirs.parameters())
    assert len(ours.parameters()) == 41_001
    return {"scalargrad": steps[0].step, "PyTorch": steps[1].step}


def findings(turns: int) -> Iterator[Finding]:
    """Yield each figure as it is measured.

    Adam comes first: its time depends on how far apart the parameters lie in memory, and a network
    is usually made before other objects have come and gone.
    """
    times = take_turns(step_of_adam(), max(turns, 9), clock=time.process_time)
    yield _compared("a step of Adam over 41,001 parameters", 10.0, times)
    for task in tasks():
        again = by_fit(task)
        runs = {"scalargrad": for_the_first_time(again), AGAIN: again, "PyTorch": by_pytorch(task)}
        ends = [run() for run in runs.values()]
        assert all(math.isclose(end, ends[0], rel_tol=1e-6) for end in ends), ends
        times = take_turns(runs, turns, clock=time.process_time)
        yield _compared(task.title, task.goal, times)
        measured = f"{times[AGAIN] / times['PyTorch']:.2g} × ({in_units(times[AGAIN])})"
        yield Finding(f"The same: {AGAIN}", "", measured, None)


def for_the_first_time(run: Callable[[], float]) -> Callable[[], float]:
    """Return training that finds nothing packed by an earlier one."""

    def anew() -> float:
        pack_anew()
        return run()

    return anew


def _compared(what: str, goal: float, times: dict[str, float]) -> Finding:
    ours, theirs = times["scalargrad"], times["PyTorch"]
    ratio = ours / theirs
    measured = f"{ratio:.2g} × ({in_units(ours)}, PyTorch {in_units(theirs)})"
    return Finding(f"{what}, against PyTorch", f"≤ {goal:g} ×", measured, ratio <= goal)


def main() -> None:
    """Measure, print, and write the table if asked to."""
    parser = argparse.ArgumentParser(description="Measure training beside PyTorch.")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="turns per contestant")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the file whose table to write")
    asked = parser.parse_args()
    print(where := pin())
    rows = gathered(findings(asked.turns))
    if asked.write is not None:
        replace_section(asked.write, "training", as_markdown(rows, where))


if __name__ == "__main__":
    main()
