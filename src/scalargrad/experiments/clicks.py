"""A wide and deep recommender: what to show whom, learned from a log of clicks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalargrad import data
from scalargrad.experiments.plan import Plan, Report, draw_training, report
from scalargrad.grad_mode import no_grad
from scalargrad.losses import binary_cross_entropy_with_logits
from scalargrad.nn import Embedding, Linear, Module, ReLU, Sequential, init
from scalargrad.nn.init import Rng, generator
from scalargrad.ops import sigmoid
from scalargrad.optim import AdamW
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.train import fit
from scalargrad.value import Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class WideAndDeep(Module):
    """The log-odds of a click: a weight for the very pair, plus a network over two embeddings.

    Parameters
    ----------
    users, items : int
        How many there are.
    width : int
        Length of an embedding.
    hidden : int
        Hidden units of the deep part.
    wide, deep : bool
        Whether each part takes part.
    rng : random.Random or int, optional
        Generator or seed.

    References
    ----------
    Cheng et al., Wide & deep learning for recommender systems, 2016, equation 3.

    Examples
    --------
    >>> model = WideAndDeep(20, 20, rng=0)
    >>> 0.0 < model.probability((3, 7)) < 1.0
    True
    """

    def __init__(
        self,
        users: int,
        items: int,
        width: int = 8,
        hidden: int = 16,
        *,
        wide: bool = True,
        deep: bool = True,
        rng: Rng = None,
    ) -> None:
        source = generator(rng)
        self.items = items
        self.wide, self.deep = wide, deep
        self.crosses = Embedding(users * items, 1, rng=source)
        init.zeros_(self.crosses.weight)
        self.user = Embedding(users, width, rng=source)
        self.item = Embedding(items, width, rng=source)
        self.network = Sequential(
            Linear(2 * width, hidden, rng=source), ReLU(), Linear(hidden, 1, rng=source)
        )
        self.bias = Linear(0, 1, rng=source)

    def forward(self, shown: Sequence[int]) -> Value:
        """Compute the log-odds that a user clicks on an item.

        Parameters
        ----------
        shown : (user, item)
            Their numbers.

        Returns
        -------
        Value
            In nats.
        """
        user, item = shown
        odds: Value = self.bias([])[0]
        if self.wide:
            odds = odds + self.crosses(user * self.items + item)[0]
        if self.deep:
            odds = odds + self.network([*self.user(user), *self.item(item)])[0]
        return odds

    def example_input(self) -> tuple[int, int]:
        """Return the first user and the first item."""
        return 0, 0

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters in two groups for an optimiser, the wide ones decaying faster.

        What a few tastes can explain is thereby left to the deep part.
        """
        wide = self.crosses.parameters()
        deep = [*self.user.parameters(), *self.item.parameters(), *self.network.parameters()]
        return [
            {"params": wide, "weight_decay": 0.5},
            {"params": [*deep, *self.bias.parameters()], "weight_decay": 0.1},
        ]

    def probability(self, shown: Sequence[int]) -> float:
        """Return the probability of a click, recording no graph."""
        with no_grad():
            return float(sigmoid(self(shown).data))


def log_loss(chances: Sequence[float], clicks: Sequence[int]) -> float:
    """Return the mean log loss of probabilities, in nats.

    Examples
    --------
    >>> round(log_loss([0.5, 0.5], [0, 1]), 4)
    0.6931
    """
    told = [p if clicked else 1 - p for p, clicked in zip(chances, clicks, strict=True)]
    return -math.fsum(map(math.log, told)) / len(told)


def clicks(plan: Plan) -> Report:
    """Learn from 4,000 impressions who clicks on what, and compare with the known truth.

    AdamW on batches of 32, the learning rate falling from 0.02 to 0.002; 6 epochs unless the
    plan says otherwise.
    """
    truth = data.click_model(seed=plan.seed)
    shown, clicked = truth.log(4000, seed=plan.seed + 1)
    seen = truth.log(2000, seed=plan.seed + 2)
    unseen = truth.log(2000, seed=plan.seed + 3, unseen=True)
    model = WideAndDeep(20, 20, rng=plan.seed)
    options = plan.options("clicks", 6)
    optimizer = AdamW(model.groups(), lr=0.02)
    history = fit(
        model,
        shown,
        [float(y) for y in clicked],
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=options["epochs"]),
        validation_data=(seen.inputs, [float(y) for y in seen.targets]),
        **options,
    )
    base = sum(clicked) / len(clicked)
    rows = [
        (
            name,
            log_loss([base] * len(log.inputs), log.targets),
            log_loss([model.probability(pair) for pair in log.inputs], log.targets),
            truth.log_loss(*log),
        )
        for name, log in (("seen", seen), ("unseen", unseen))
    ]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_training(history, left)
        _draw_calibration(right, truth, model)

    summary = [
        f"{name} pairs: log loss {ours:.3f}, base rate {rate:.3f}, the truth itself {best:.3f}"
        for name, rate, ours, best in rows
    ]
    return report(plan, "clicks", model, history, draw=draw, summary=summary)


def _draw_calibration(axes: Any, truth: data.ClickModel, model: WideAndDeep) -> None:
    for name, held, marker in (("seen", False, "o"), ("unseen", True, "^")):
        pairs = [pair for pair in truth.pairs() if (pair in truth.unseen) == held]
        true = [truth.probability(pair) for pair in pairs]
        ours = [model.probability(pair) for pair in pairs]
        axes.scatter(true, ours, marker=marker, s=14, alpha=0.6, label=f"{name} pairs")
    axes.plot([0, 1], [0, 1], color="black", lw=1)
    axes.set(xlabel="true probability", ylabel="learned probability", title="Every pair")
    axes.legend()
