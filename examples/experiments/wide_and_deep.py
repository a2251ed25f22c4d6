"""A wide and deep recommender: crossed features that memorise, embeddings that generalise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from examples.experiments import click_log
from examples.experiments.click_log import Impression, Vocabulary, crossed
from scalargrad import Value, no_grad
from scalargrad.nn import Embedding, EmbeddingBag, Linear, Module, ReLU, Sequential, init
from scalargrad.nn.init import Rng, generator
from scalargrad.ops import sigmoid

__all__ = ["Ranker", "WideAndDeep"]

#: Pairs of features that are crossed for the wide part.
CROSSES = (("user", "item"), ("language", "spoken"), ("device", "topic"), ("country", "topic"))

#: Features with an embedding, besides user and item, and their values.
FEATURES: dict[str, Sequence[Any]] = {
    "country": click_log.COUNTRIES,
    "language": click_log.LANGUAGES,
    "device": click_log.DEVICES,
    "hour": range(24),
    "weekday": range(7),
    "topic": click_log.TOPICS,
    "spoken": click_log.LANGUAGES,
}


class WideAndDeep(Module):
    """The log-odds of a click: weights of crossed features, plus a network over embeddings.

    Parameters
    ----------
    users, items : iterable of int
        The users and items with an embedding of their own, such as all of a log; all others
        share one.
    width : int
        Length of the embedding of a user or an item; for other features it is 2.
    hidden : int
        Hidden units of the deep part.
    buckets : int
        Number of weights of the wide part, to which crossed features are hashed.
    wide, deep : bool
        Whether the model has this part.
    rng : random.Random or int, optional
        Generator or seed.

    Notes
    -----
    Memory grows with the number of `users` and `items` and with `buckets`, not with the number of
    users and items that exist.

    References
    ----------
    Cheng et al., Wide & deep learning for recommender systems, 2016, equation 3.

    Examples
    --------
    >>> from examples.experiments import ClickModel
    >>> shown = ClickModel(10**6, 10**5).log(2).inputs
    >>> model = WideAndDeep.of(shown, rng=0)
    >>> 0.0 < model.probability(shown[0]) < 1.0
    True
    """

    def __init__(
        self,
        users: Iterable[int],
        items: Iterable[int],
        width: int = 8,
        hidden: int = 16,
        buckets: int = 4096,
        *,
        wide: bool = True,
        deep: bool = True,
        rng: Rng = None,
    ) -> None:
        source = generator(rng)
        self.wide, self.deep, self.buckets = wide, deep, buckets
        self.rows = {
            "user": Vocabulary(users),
            "item": Vocabulary(items),
            **{name: Vocabulary(values) for name, values in FEATURES.items()},
        }
        self.crosses = EmbeddingBag(buckets, 1, mode="sum", rng=source)
        init.zeros_(self.crosses.weight)
        sizes = {name: width if name in {"user", "item"} else 2 for name in self.rows}
        self.embeddings = [
            Embedding(len(rows), sizes[name], rng=source) for name, rows in self.rows.items()
        ]
        self.network = Sequential(
            Linear(sum(sizes.values()) + 1, hidden, rng=source),
            ReLU(),
            Linear(hidden, 1, rng=source),
        )
        self.bias = Linear(0, 1, rng=source)

    @classmethod
    def of(cls, shown: Sequence[Impression], **options: Any) -> WideAndDeep:
        """Make a model with an embedding for each user and item of a log."""
        return cls([x.user for x in shown], [x.item for x in shown], **options)

    def encode(self, shown: Impression) -> list[float]:
        """Encode an impression as the numbers that `forward` takes.

        Returns
        -------
        list of float
            The row of each embedding, the bucket of each cross, and the user's history.
        """
        rows = [table.row(getattr(shown, name)) for name, table in self.rows.items()]
        buckets = [
            crossed(*names, *(getattr(shown, name) for name in names), buckets=self.buckets)
            for names in CROSSES
        ]
        return [*rows, *buckets, shown.history]

    def forward(self, x: Sequence[Any]) -> Value:
        """Compute the log-odds of a click.

        Parameters
        ----------
        x : sequence of numbers
            An impression as encoded by `encode`.

        Returns
        -------
        Value
            The log-odds, in nats.
        """
        count = len(self.embeddings)
        rows, buckets, history = x[:count], x[count:-1], x[-1]
        odds: Value = self.bias([])[0]
        if self.wide:
            odds = odds + self.crosses(buckets)[0]
        if self.deep:
            found = [table(row) for table, row in zip(self.embeddings, rows, strict=True)]
            odds = odds + self.network([*(v for vector in found for v in vector), history])[0]
        return odds

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters in two groups, with a larger weight decay for the wide part.

        This leaves patterns that a few embeddings can explain to the deep part.
        """
        wide = dict.fromkeys(self.crosses.parameters())
        deep = [p for p in self.parameters() if p not in wide]
        return [{"params": [*wide], "weight_decay": 0.5}, {"params": deep, "weight_decay": 0.1}]

    def probability(self, shown: Impression) -> float:
        """Return the probability of a click, without building a graph."""
        with no_grad():
            return float(sigmoid(self(self.encode(shown)).data))


class Ranker:
    """Orders items by their probability of a click, computed in one compiled call.

    Parameters
    ----------
    model : WideAndDeep
        The model. Its parameters are read at each call, so further training changes the order.

    Examples
    --------
    >>> from examples.experiments import ClickModel
    >>> truth = ClickModel()
    >>> model = WideAndDeep(range(20), range(20), rng=0)
    >>> offers = [truth.impression(3, item, "phone", 21, 5) for item in range(20)]
    >>> best, *_ = Ranker(model)(offers)
    >>> max(offers, key=model.probability) == best
    True
    """

    def __init__(self, model: WideAndDeep) -> None:
        from scalargrad import jit, vmap  # what it needs is imported where it is first used

        self.model = model
        self.log_odds = jit(vmap(model.forward))

    def __call__(self, offers: Sequence[Impression]) -> list[Impression]:
        """Return impressions by decreasing probability of a click."""
        with no_grad():
            odds = self.log_odds([self.model.encode(offer) for offer in offers])
        order = sorted(range(len(offers)), key=lambda i: -float(getattr(odds[i], "data", odds[i])))
        return [offers[i] for i in order]
