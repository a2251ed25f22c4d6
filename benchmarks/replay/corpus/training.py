"""Training: loops of one's own under `jit`, and `fit` with compiled steps."""

from __future__ import annotations

import math
import random
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.replay import Call, program
from scalargrad import Value, jit, log, losses, nn, optim, scan, tanh, value_and_grad
from scalargrad.optim import lr_scheduler, rules
from scalargrad.train import fit


def points(count: int, seed: int = 0) -> list[list[float]]:
    """Return points of a square around 0."""
    rng = random.Random(seed)
    return [[rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)] for _ in range(count)]


POINTS = points(30)
HEIGHTS = [[math.sin(3.0 * x) * y] for x, y in POINTS]
CLASSES = [int(x > 0.0) + int(y > 0.3) for x, y in POINTS]


def network(outputs: int = 1, p: float = 0.0) -> nn.Module:
    """Return a small network."""
    return nn.Sequential(
        nn.Linear(2, 6, rng=1), nn.Tanh(), nn.Dropout(p, rng=3), nn.Linear(6, outputs, rng=2)
    )


def trained(
    model: nn.Module, optimizer: Any, targets: Any = HEIGHTS, **options: Any
) -> list[list[float]]:
    """Train with compiled steps; return losses, parameters and gradients."""
    history = fit(
        model, POINTS, targets, optimizer=optimizer, jit=True,
        **{"loss": losses.mse_loss, "epochs": 5, "batch_size": 8, "quiet": True, **options},
    )  # fmt: skip
    held_out = [row["val_loss"] for row in history.rows if "val_loss" in row]
    parameters = model.parameters()
    return [
        history["loss"], held_out, [p.data for p in parameters], [p.grad for p in parameters]
    ]  # fmt: skip


def loss(w: list[Any], rows: Any = POINTS, heights: Any = HEIGHTS) -> Any:
    """Return the squared error of three units of tanh."""
    total = 0.0
    for (a, b), (y,) in zip(rows, heights, strict=True):
        units = [w[4 * k + 3] * tanh(w[4 * k] * a + w[4 * k + 1] * b + w[4 * k + 2])
                 for k in range(3)]  # fmt: skip
        total = total + (sum(units) - y) ** 2
    return total / len(rows)


START = [0.3 * math.sin(1.0 + 2.0 * k) for k in range(12)]


@program
def descent_by_hand() -> Call:
    """Gradient descent whose step is compiled: twenty calls, each with the last one's weights."""
    step = value_and_grad(loss)

    @jit
    def moved(w: list[Any], lr: Any) -> Any:
        found, slopes = step(w)
        return found, [a - lr * b for a, b in zip(w, slopes, strict=True)]

    def descend(w: list[Any]) -> Any:
        found = []
        for k in range(20):
            value, w = moved(w, 0.3 / (1.0 + 0.1 * k))
            found.append(float(value))
        return found, [float(x) for x in w]

    return descend, (START,)


@program
def momentum_in_one_program() -> Call:
    """Five steps with momentum unrolled in one function, differentiated by rate and momentum."""

    def after(hyper: list[Any]) -> Any:
        lr, momentum = hyper
        w, velocity = START, [0.0] * len(START)
        for _ in range(5):
            _, slopes = value_and_grad(loss)(w)
            velocity = [momentum * v + g for v, g in zip(velocity, slopes, strict=True)]
            w = [a - lr * v for a, v in zip(w, velocity, strict=True)]
        return loss(w)

    return jit(after), ([Value(0.2), Value(0.5)],)


@program
def descent_by_scan() -> Call:
    """Thirty steps of a descent in one program: a network with two hidden layers, by its lists."""

    def table(rows: int, columns: int) -> list[list[float]]:
        return [[math.sin(1.0 + 3.0 * i + 2.0 * j) for j in range(columns)] for i in range(rows)]

    def output(layers: Any, x: list[Any]) -> Any:
        for k, (weights, biases) in enumerate(layers):
            x = [
                sum((w * a for w, a in zip(row, x, strict=True)), b)
                for row, b in zip(weights, biases, strict=True)
            ]
            x = [tanh(a) for a in x] if k + 1 < len(layers) else x
        return x[0]

    def risk(layers: Any) -> Any:
        pairs = zip(POINTS[:12], HEIGHTS, strict=False)
        return sum((output(layers, x) - y) ** 2 for x, (y,) in pairs) / 12

    def step(layers: Any, rate: Any) -> Any:
        found, slopes = value_and_grad(risk)(layers)
        moved = [
            (
                [[a - rate * b for a, b in zip(*rows, strict=True)]
                 for rows in zip(weights, by_weights, strict=True)],
                [a - rate * b for a, b in zip(biases, by_biases, strict=True)],
            )
            for (weights, biases), (by_weights, by_biases) in zip(layers, slopes, strict=True)
        ]  # fmt: skip
        return moved, found

    layers = [(table(6, 2), [0.0] * 6), (table(6, 6), [0.0] * 6), (table(1, 6), [0.0])]
    rates = [0.1 / (1.0 + 0.1 * k) for k in range(30)]
    return jit(lambda layers: scan(step, layers, rates)), (layers,)


@program
def adam_by_hand() -> Call:
    """Adam on minibatches: moments and weights go round, the count of steps is a number."""

    @jit
    def moved(state: Any, t: Any, rows: Any, heights: Any) -> Any:
        w, m, v = state
        found, slopes = value_and_grad(loss)(w, rows, heights)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, slopes, strict=True)]
        v = [0.99 * a + 0.01 * g * g for a, g in zip(v, slopes, strict=True)]
        first, second = 1.0 - 0.9**t, 1.0 - 0.99**t
        moved = [a - 0.05 * (b / first) / ((c / second) ** 0.5 + 1e-8)
                 for a, b, c in zip(w, m, v, strict=True)]  # fmt: skip
        return found, (moved, m, v)

    def learn(w: list[Any]) -> Any:
        state = (w, [0.0] * len(w), [0.0] * len(w))
        found = []
        for t in range(1, 13):
            rows = slice(10 * (t % 3), 10 * (t % 3) + 10)
            value, state = moved(state, float(t), POINTS[rows], HEIGHTS[rows])
            found.append(float(value))
        return found, [[float(x) for x in part] for part in state]

    return learn, (START,)


@program
def rules_of_optim() -> Call:
    """Update rules of `optim.rules` on Values, a step of each, and its slope by the rate."""

    def moved(w: Any, lr: Any) -> Any:
        grad = 2.0 * w - 1.0
        decay: Any = {"weight_decay": 0.1}
        return [
            *rules.sgd(w, grad, 0.3, lr=lr, momentum=0.9, nesterov=True, **decay),
            *rules.adam(w, grad, 0.2, 0.4, 0.5, lr=lr, betas=(0.9, 0.99), eps=1e-8,
                        corrections=(0.19, 0.02), amsgrad=True, **decay),
            *rules.rmsprop(w, grad, 0.4, 0.1, 0.2, lr=lr, alpha=0.9, eps=1e-8, **decay),
            *rules.adagrad(w, grad, 0.4, lr=lr, eps=1e-10, **decay),
        ]  # fmt: skip

    return jit(moved), (Value(0.7), Value(0.05))


@program
def early_stop_by_hand() -> Call:
    """Logistic regression under a compiled step, until its gradient is short: a loop that ends."""
    labels = [1.0 if x + y > 0.2 else -1.0 for x, y in POINTS]

    def risk(w: list[Any]) -> Any:
        margins = [
            s * (w[0] * x + w[1] * y + w[2]) for (x, y), s in zip(POINTS, labels, strict=True)
        ]
        return sum(log(1.0 + (-m).exp()) for m in margins) / len(margins) + 0.05 * w[0] * w[0]

    step = jit(value_and_grad(risk))

    def descend(w: list[float]) -> Any:
        for k in range(60):
            value, slopes = step([Value(x) for x in w])
            w = [a - 1.0 * float(b) for a, b in zip(w, slopes, strict=True)]
            if math.hypot(*map(float, slopes)) < 0.05:
                return k, float(value), w
        return 60, float(value), w

    return descend, ([0.0, 0.0, 0.0],)


@program
def fit_in_batches() -> Call:
    """SGD with momentum on batches of which the last is smaller, with validation data."""

    def run() -> Any:
        model = network()
        sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
        return trained(model, sgd, validation_split=0.2, patience=4)

    return run, ()


@program
def fit_of_all_at_once() -> Call:
    """Adam on the whole set, with a penalty, limits on the gradient, and its norm recorded."""

    def run() -> Any:
        model = network()
        adam = optim.Adam(model.parameters(), lr=0.05, amsgrad=True)
        return trained(model, adam, batch_size=None, clip_grad_norm=0.5, gradient_tolerance=0.0,
                       regularizer=losses.l2_penalty)  # fmt: skip

    return run, ()


@program
def fit_of_classes() -> Call:
    """Three classes with weights, by two groups of AdamW and a falling rate, with dropout."""

    def run() -> Any:
        model = network(3, p=0.3)
        parameters = model.parameters()
        groups = [{"params": parameters[:18], "lr": 0.02}, {"params": parameters[18:]}]
        adam = optim.AdamW(groups, lr=0.05, weight_decay=0.1)
        return trained(
            model, adam, CLASSES, metrics=[losses.accuracy],
            loss=partial(losses.cross_entropy, weight=[1.0, 2.0, 0.5]),
            scheduler=lr_scheduler.CosineAnnealingLR(adam, T_max=4),
        )  # fmt: skip

    return run, ()


@program
def fit_one_by_one() -> Call:
    """Adagrad on single examples, under a warm-up along a line and then powers."""

    def run() -> Any:
        model = network()
        adagrad = optim.Adagrad(model.parameters(), lr=0.1)
        parts = [lr_scheduler.LinearLR(adagrad, 0.1, total_iters=2),
                 lr_scheduler.ExponentialLR(adagrad, 0.5)]  # fmt: skip
        schedule = lr_scheduler.SequentialLR(adagrad, parts, milestones=[2])
        return trained(model, adagrad, batch_size=1, epochs=3, scheduler=schedule)

    return run, ()


@program
def fit_of_words() -> Call:
    """Embedding of tokens by RMSprop, words of three lengths one by one."""
    words = [[k % 5 for k in range(n, n + 1 + n % 3)] for n in range(12)]
    scores = [math.sin(len(word) + sum(word)) for word in words]

    class Bag(nn.Module):
        """Adds up the vectors of a word."""

        def __init__(self) -> None:
            self.table, self.out = nn.Embedding(5, 2, rng=3), nn.Linear(2, 1, rng=4)

        def forward(self, word: list[int]) -> Any:
            """Score a word."""
            vectors = [self.table(token) for token in word]
            return self.out([sum(column) for column in zip(*vectors, strict=True)])[0]

    def run() -> Any:
        model = Bag()
        moving = optim.RMSprop(model.parameters(), lr=0.02, centered=True)
        history = fit(model, words, scores, loss=losses.huber_loss, optimizer=moving, epochs=4,
                      batch_size=1, jit=True, quiet=True)  # fmt: skip
        return history["loss"], [p.data for p in model.parameters()]

    return run, ()


@program
def fit_resumed() -> Call:
    """Adam for three epochs, then from the checkpoint for three more, by a callback's rate."""

    def run() -> Any:
        with TemporaryDirectory() as folder:
            for epochs in (3, 6):
                model = network(p=0.2)
                adam = optim.Adam(model.parameters(), lr=0.05)
                found = trained(model, adam, epochs=epochs, checkpoint=Path(folder) / "run.json",
                                scheduler=lr_scheduler.StepLR(adam, 2), resume=True)  # fmt: skip
        return found

    return run, ()


@program
def fit_that_diverges() -> Call:
    """Far too long steps, until a number is not finite: an error."""

    def run() -> Any:
        model = network()
        return trained(model, optim.SGD(model.parameters(), lr=1e150), epochs=50)

    return run, ()
