"""A network of one hidden layer that classifies handwritten digits."""

from __future__ import annotations

from typing import Any

from scalargrad import data
from scalargrad.experiments.plan import Plan, Report, train
from scalargrad.grad_mode import no_grad
from scalargrad.losses import accuracy, cross_entropy
from scalargrad.nn import Linear, ReLU, Sequential
from scalargrad.optim import Adam
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.plots import confusion_matrix, first_layer_weights

#: Hidden units whose weights are drawn.
_DRAWN = 20


def digits(plan: Plan) -> Report:
    """Classify handwritten digits with 64 inputs, 20 hidden units and a softmax over ten classes.

    Adam on batches of 32, the learning rate falling from 0.02 to 0.002 in 8 epochs, which are all
    unless the plan says otherwise.
    """
    return _read(plan, "digits", size=8, hidden=20, rate=0.02, epochs=8)


def digits28(plan: Plan) -> Report:
    """Classify the digits enlarged to 28 × 28 pixels with a 784-100-10 network, 79,510 parameters.

    Adam on batches of 32, the learning rate falling from 0.002 to 0.0002 in 4 epochs, which are all
    unless the plan says otherwise.
    """
    return _read(plan, "digits28", size=28, hidden=100, rate=0.002, epochs=4)


def _read(plan: Plan, name: str, *, size: int, hidden: int, rate: float, epochs: int) -> Report:
    examples, held_out = data.digits(size)
    first = Linear(size * size, hidden, rng=plan.seed)
    model = Sequential(first, ReLU(), Linear(hidden, 10, rng=plan.seed + 1))
    optimizer = Adam(model.parameters(), lr=rate)

    def results(part: Any) -> list[str]:
        with no_grad():
            scores = [[score.data for score in model(image)] for image in held_out.inputs]
        left, right = part.subfigures(1, 2)
        guessed = [max(range(10), key=row.__getitem__) for row in scores]
        confusion_matrix(held_out.targets, guessed, ax=left.subplots())
        first_layer_weights(first.weight[:_DRAWN], (size, size), columns=5, figure=right)
        drawn = f"the {hidden}" if hidden <= _DRAWN else f"{_DRAWN} of the {hidden}"
        right.suptitle(
            f"What {drawn} hidden units look for:\nblue ink counts for them, orange against"
        )
        return [f"{accuracy(scores, held_out.targets):.1%} of the held-out digits read correctly"]

    return train(
        plan,
        name,
        model,
        examples,
        epochs=epochs,
        loss=cross_entropy,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=epochs),
        validation_data=held_out,
        metrics=[accuracy],
        results=results,
        wide=True,
    )
