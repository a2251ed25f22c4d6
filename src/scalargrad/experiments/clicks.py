"""A wide and deep recommender, trained on a click log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalargrad import data
from scalargrad.experiments.plan import Plan, Report, draw_training, report
from scalargrad.experiments.wide_and_deep import WideAndDeep
from scalargrad.losses import binary_cross_entropy_with_logits
from scalargrad.optim import AdamW
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.plots.style import MARKERS, colour, legend_above, styled
from scalargrad.train import fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    """Learn from 6,000 impressions who clicks on what, and compare with the known truth.

    AdamW on batches of 32, the learning rate falling from 0.02 to 0.002 in 6 epochs, which are
    all unless the plan says otherwise.
    """
    truth = data.click_model(seed=plan.seed)
    shown, clicked = truth.log(6000, seed=plan.seed + 1)
    seen = truth.log(2000, seed=plan.seed + 2)
    unseen = truth.log(2000, seed=plan.seed + 3, unseen=True)
    model = WideAndDeep(range(20), range(20), rng=plan.seed)
    options = plan.options("clicks", 6)
    optimizer = AdamW(model.groups(), lr=plan.rate(0.02))
    history = fit(
        model,
        [model.encode(x) for x in shown],
        [float(y) for y in clicked],
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=6),
        validation_data=([model.encode(x) for x in seen.inputs], [float(y) for y in seen.targets]),
        **options,
    )
    base = sum(clicked) / len(clicked)
    rows = [
        (
            name,
            log_loss([base] * len(log.inputs), log.targets),
            log_loss([model.probability(x) for x in log.inputs], log.targets),
            truth.log_loss(*log),
        )
        for name, log in (("seen", seen), ("unseen", unseen))
    ]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_training(history, left)
        _draw_calibration(right, truth, model, {"seen": seen, "unseen": unseen})

    summary = [
        f"{name} pairs: log loss {ours:.3f}, base rate {rate:.3f}, the truth itself {best:.3f}"
        for name, rate, ours, best in rows
    ]
    return report(plan, "clicks", model, history, draw=draw, summary=summary)


def _draw_calibration(
    axes: Any,
    truth: data.ClickModel,
    model: WideAndDeep,
    logs: dict[str, data.Dataset[data.Impression, int]],
) -> None:
    shown = []
    for i, (name, log) in enumerate(logs.items()):
        true = [truth.probability(x) for x in log.inputs[:400]]
        ours = [model.probability(x) for x in log.inputs[:400]]
        look: dict[str, Any] = {"color": colour(i), "marker": MARKERS[i], "ms": 5.5, "ls": ""}
        shown += axes.plot(true, ours, mec="white", mew=0.5, label=f"{name} pairs", **look)
    shown += axes.plot([0, 1], [0, 1], color="black", lw=1, label="as it should be")
    axes.set(xlabel="true probability", ylabel="learned probability", xlim=(0, 1), ylim=(0, 1))
    axes.set_aspect("equal")
    legend_above(styled(axes), "Chances of a click", shown)
