"""Training by `fit`, and a step of Adam, compared with PyTorch on one thread.

    python -m pip install -e '.[all,oracles]'
    python -m benchmarks.training [--write docs/benchmarks.md] [--repeats N]

`fit` and a loop over PyTorch's modules, both in float64, start from the same parameters, train on
the same batches and must end with the same loss: on digits of 8 × 8 pixels, on breast cancer, and
on two moons with a max-margin loss and an L2 penalty. The step of Adam updates 41,001 parameters
that have gradients. A GPT on scalars, 4,192 parameters, learns 1,000 names of mixed lengths, one
name per step of Adam. It is compared with the same arithmetic on a plain Value class; that takes
minutes, so it is measured on some of the names and scaled by the number of characters. All times
are processor times and include recording and compiling.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from benchmarks.comparing import Comparison, Items, Maker, Row, main
from benchmarks.measuring import Run, clear_compiled_programs
from benchmarks.microgpt import Value
from benchmarks.moons.by_pytorch import in_doubles
from benchmarks.moons.problem import PENALTY, WIDTHS, labelled_points, layers, run_backward
from benchmarks.replay.corpus import gpt
from examples.experiments import GPT, Alphabet
from examples.experiments.gpt import NO_CHARACTER, next_character_loss, padded, plain_names
from scalargrad import losses, nn, optim
from scalargrad.train import fit

SEED, RATE, BETAS, EPS = 0, 0.01, (0.9, 0.99), 1e-8
US, THEM = "`fit`", "PyTorch"
AGAIN = "`fit`, a further network of the same shape"
#: The number of names to learn, and the number of them to learn on plain Values.
NAMES, SAMPLE = 1000, 12


class Task(NamedTuple):
    """The examples, the network and the settings of a training."""

    title: str
    inputs: list[list[float]]
    targets: list[Any]
    widths: tuple[int, ...]
    loss: str
    epochs: int
    at_most: float | None = None
    optimizer: str = "Adam"
    rate: float = 1e-3
    batch: int = 32
    penalty: float = 0.0


def tasks() -> Iterator[Task]:
    """Yield all tasks; scikit-learn provides the data of two."""
    from sklearn.datasets import load_breast_cancer, load_digits

    digits, cancer = load_digits(), load_breast_cancer()
    pixels, classes = (digits.data / 16.0).tolist(), digits.target.tolist()
    title = "Digits 64-64-64-10, 30 epochs"
    yield Task(title, pixels, classes, (64, 64, 64, 10), "cross_entropy", 30, 1.0)
    scaled = ((cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0)).tolist()
    classes = [[float(y)] for y in cancer.target]
    title, loss = "Breast cancer 30-100-100-1, 20 epochs", "binary_cross_entropy_with_logits"
    yield Task(title, scaled, classes, (30, 100, 100, 1), loss, 20, 2.0)
    moons = Task("Two moons", *labelled_points(), WIDTHS, "hinge_loss", 20, penalty=PENALTY)
    title = f"{moons.title}, 100 steps of gradient descent on 100 points"
    yield moons._replace(title=title, optimizer="SGD", rate=0.1, epochs=100, batch=100)
    title = f"{moons.title}, Adam on batches of 10"
    yield moons._replace(title=title, rate=0.01, batch=10)


def network(widths: Sequence[int]) -> nn.MLP:
    """Return the network, always with the same parameters."""
    return nn.MLP(widths[0], [*widths[1:]], rng=SEED)


def by_fit(make: Callable[[], nn.Module], optimizer: Any, *data: Any, **options: Any) -> Run:
    """Return a training by `fit` of a new model, with an optimizer of its parameters."""

    def run() -> float:
        model = make()
        history = fit(model, *data, optimizer=optimizer(model.parameters()), quiet=True, **options)
        return history["loss"][-1]

    return run


def without_cache(train: Run) -> Run:
    """Return a training that compiles again each time."""

    def run() -> float:
        clear_compiled_programs()
        return float(train())

    return run


def by_pytorch(task: Task) -> Run:
    """Return a loop over PyTorch's modules, on the batches that `fit` draws."""
    torch = in_doubles()
    inputs, targets = torch.tensor(task.inputs), torch.tensor(task.targets)

    def hinge_loss(scores: Any, targets: Any) -> Any:
        return (1 - targets * scores[:, 0]).relu().mean()

    loss_of = getattr(torch.nn.functional, task.loss, hinge_loss)

    def run() -> float:
        model = pytorch_model(task.widths)
        parameters = list(model.parameters())
        optimizer = getattr(torch.optim, task.optimizer)(parameters, lr=task.rate)
        rng, order, total = random.Random(SEED), [], 0.0
        for _ in range(task.epochs):
            order, total = list(range(len(inputs))), 0.0
            rng.shuffle(order)
            for rows in torch.tensor(order).split(task.batch):
                loss = loss_of(model(inputs[rows]), targets[rows])
                if task.penalty:
                    loss = loss + task.penalty * sum((p * p).sum() for p in parameters)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
        return total / len(inputs)

    return run


def pytorch_model(widths: Sequence[int]) -> Any:
    """Return the same network as PyTorch modules, with the same parameters."""
    torch, parts = in_doubles(), list[Any]()
    for weights, biases in layers([p.data for p in network(widths).parameters()], widths):
        layer = torch.nn.Linear(len(weights[0]), len(weights))
        layer.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(biases)})
        parts += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def steps_of_adam() -> Comparison:
    """Compare a step over 41,001 parameters.

    It runs first: its time depends on the distance between the parameters in memory, and a network
    is usually created before many other objects have been created and freed.
    """
    widths = (2, 200, 200, 1)

    def ours() -> Run:
        model = network(widths)
        for p in model.parameters():
            p.grad = 0.1
        return optim.Adam(model.parameters()).step

    def theirs() -> Run:
        torch, model = in_doubles(), pytorch_model(widths)
        for tensor in model.parameters():
            tensor.grad = torch.full_like(tensor, 0.1)
        step: Run = torch.optim.Adam(model.parameters()).step
        return step

    makers = {"scalargrad": ours, THEM: theirs}
    rows = [Row("scalargrad", THEM, at_most=10.0)]
    return Comparison("A step of Adam over 41,001 parameters", makers, rows, time.process_time)


def compare_fit(task: Task) -> Comparison:
    """Compare the training of a task by `fit` with default settings, the first time and again."""
    optimizer = partial(getattr(optim, task.optimizer), lr=task.rate)
    options: dict[str, Any] = {"epochs": task.epochs, "batch_size": task.batch, "seed": SEED}
    if task.penalty:
        options["regularizer"] = lambda parameters: task.penalty * losses.l2_penalty(parameters)
    data, loss = (task.inputs, task.targets), getattr(losses, task.loss)
    ours = by_fit(partial(network, task.widths), optimizer, *data, loss=loss, **options)
    makers: dict[str, Maker] = {
        US: lambda: without_cache(ours),
        AGAIN: lambda: ours,
        THEM: lambda: by_pytorch(task),
    }
    rows = [Row(US, THEM, at_most=task.at_most), Row(AGAIN, THEM)]
    return Comparison(task.title, makers, rows, time.process_time, tolerance=1e-6)


# Names --------------------------------------------------------------------------------------------


gpt_of_names = partial(GPT, gpt.CHARACTERS, rng=SEED)


def on_plain_values(inputs: list[list[int]], targets: list[list[int]]) -> Run:
    """Return steps on plain Values; `steps` is the fraction of all characters in these names."""
    some = list(zip(inputs, targets, strict=True))[:SAMPLE]

    def run() -> float:
        parameters, total = [Value(p.data) for p in gpt_of_names().parameters()], 0.0
        moments = [[0.0, 0.0] for _ in parameters]
        for count, (tokens, following) in enumerate(some, 1):
            total += run_backward(gpt.loss(parameters, tokens, following, Value))
            first, second = (1 - beta**count for beta in BETAS)
            for p, m in zip(parameters, moments, strict=True):
                m[0] += (1 - BETAS[0]) * (p.grad - m[0])
                m[1] += (1 - BETAS[1]) * (p.grad * p.grad - m[1])
                p.data -= RATE * (m[0] / first) / (math.sqrt(m[1] / second) + EPS)
                p.grad = 0.0
        return total / len(some)

    setattr(run, "steps", sum(len(x) for x, _ in some) / sum(map(len, inputs)))  # noqa: B010
    return run


def compare_names(count: int) -> Comparison:
    """Compare training on a number of names; for the names of the plain run, losses must agree."""
    all_names, rng = plain_names(), random.Random(0)
    inputs, targets = Alphabet(all_names).examples([rng.choice(all_names) for _ in range(count)])
    filled = padded(inputs, 0), padded(targets, NO_CHARACTER)
    adam = partial(optim.Adam, lr=RATE, betas=BETAS, eps=EPS)
    options = {"epochs": 1, "batch_size": 1, "shuffle": False, "jit": True}
    ours = partial(by_fit, gpt_of_names, adam, loss=next_character_loss, **options)
    each, one, plain = "a program for each length", "one, names filled up", "plain Values"
    makers: dict[str, Maker] = {
        each: lambda: without_cache(ours(inputs, targets)),
        one: lambda: without_cache(ours(*filled)),
        plain: lambda: on_plain_values(inputs, targets),
    }
    what, rows = f"A GPT learns {count:,} names", [Row(x, plain, at_least=40) for x in (each, one)]
    if count == SAMPLE:
        return Comparison(what, makers, [], time.process_time)
    return Comparison(what, makers, rows, time.process_time, tolerance=None)


def comparisons() -> Items:
    """Yield the comparisons of training."""
    yield steps_of_adam()
    yield from map(compare_fit, tasks())
    yield from map(compare_names, (SAMPLE, NAMES))


if __name__ == "__main__":
    main("training", comparisons, repeats=9)
