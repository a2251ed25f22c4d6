"""A log of who was shown what and clicked, drawn from a model whose parameters are known.

The truth has the two parts a wide and deep recommender is built to learn: exceptions that can
only be memorised, pair by pair, and tastes that generalise to pairs never shown.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from scalargrad.data.dataset import Dataset
from scalargrad.errors import OperandError
from scalargrad.table.validation import number, size, whole


class Impression(NamedTuple):
    """One item shown to one user.

    Attributes
    ----------
    user, item : int
        Their numbers, from 0.
    """

    user: int
    item: int


@dataclass(frozen=True)
class ClickModel:
    """P(click) = σ(bias + crosses[user, item] + users[user] · items[item]).

    Attributes
    ----------
    bias : float
        Log-odds of a click for a neutral pair.
    crosses : dict from (user, item) to float
        Log-odds added for the few pairs that are exceptions.
    users, items : list of lists of float
        One latent vector of tastes per user and of traits per item, all of one length.
    unseen : frozenset of (user, item)
        Pairs a log never shows.
    """

    bias: float
    crosses: dict[tuple[int, int], float]
    users: list[list[float]]
    items: list[list[float]]
    unseen: frozenset[tuple[int, int]]

    def probability(self, shown: tuple[int, int]) -> float:
        """Return the true probability that `user` clicks on `item`, dimensionless."""
        user, item = shown
        taste = math.fsum(a * b for a, b in zip(self.users[user], self.items[item], strict=True))
        return 1 / (1 + math.exp(-(self.bias + self.crosses.get((user, item), 0.0) + taste)))

    def log(self, n: int, seed: int = 0, unseen: bool = False) -> Dataset[Impression, int]:
        """Draw n impressions, evenly among the pairs, and whether each was clicked.

        Parameters
        ----------
        n : int
            Number of impressions.
        seed : int
            Equal seeds give equal logs.
        unseen : bool
            Draw from the pairs that are otherwise left out.

        Returns
        -------
        Dataset
            n impressions, and n targets: 1 clicked, 0 not.

        Raises
        ------
        OperandError
            If unseen pairs are asked for and there are none.
        """
        rng = random.Random(seed)
        pairs = [pair for pair in self.pairs() if (pair in self.unseen) == unseen]
        if not pairs:
            raise OperandError("this click model has no unseen pairs: make it with unseen=0.2")
        shown = [rng.choice(pairs) for _ in range(n)]
        return Dataset(shown, [int(rng.random() < self.probability(pair)) for pair in shown])

    def pairs(self) -> list[Impression]:
        """List every pair of a user and an item, users first."""
        return [
            Impression(user, item)
            for user in range(len(self.users))
            for item in range(len(self.items))
        ]

    def log_loss(self, impressions: Iterable[tuple[int, int]], clicks: Iterable[int]) -> float:
        """Return the mean log loss of the true probabilities, in nats: no model can expect less."""
        chances = [
            self.probability(shown) if clicked else 1 - self.probability(shown)
            for shown, clicked in zip(impressions, clicks, strict=True)
        ]
        return -math.fsum(map(math.log, chances)) / len(chances)


def click_model(
    users: int = 20,
    items: int = 20,
    *,
    latent: int = 2,
    exceptions: int = 20,
    unseen: float = 0.2,
    seed: int = 0,
) -> ClickModel:
    """Draw the parameters of a click model.

    Parameters
    ----------
    users, items : int
        How many there are.
    latent : int
        Length of the latent vectors, whose entries are normal with standard deviation 1.2.
    exceptions : int
        Number of pairs with a cross weight, +3 or -3; none is among the unseen pairs.
    unseen : float
        Fraction of the pairs that a log leaves out, in [0, 1).
    seed : int
        Equal seeds give equal models.

    Returns
    -------
    ClickModel

    Raises
    ------
    OperandError
        If a log would have no pairs to show, or fewer than there are exceptions.

    References
    ----------
    Cheng et al., Wide & deep learning for recommender systems, 2016, section 3.

    Examples
    --------
    >>> truth = click_model(seed=1)
    >>> len(truth.crosses), len(truth.unseen)
    (20, 80)
    """
    rng = random.Random(whole(seed, "seed"))
    users, items = size(users, "users", 1), size(items, "items", 1)
    latent, exceptions = size(latent, "latent", 0), size(exceptions, "exceptions", 0)
    unseen = number(unseen, "unseen", 0.0, 1.0)
    pairs = [(u, i) for u in range(users) for i in range(items)]
    rng.shuffle(pairs)
    hidden = round(unseen * len(pairs))
    if len(pairs) - hidden < max(exceptions, 1):
        raise OperandError(
            f"{users} users × {items} items less {hidden} unseen pairs leave too few pairs for "
            f"{exceptions} exceptions: give more users or items, or lower `unseen`"
        )
    special = pairs[hidden : hidden + exceptions]

    def vectors(count: int) -> list[list[float]]:
        return [[rng.gauss(0, 1.2) for _ in range(latent)] for _ in range(count)]

    crosses = {pair: rng.choice((-3.0, 3.0)) for pair in special}
    return ClickModel(-1.0, crosses, vectors(users), vectors(items), frozenset(pairs[:hidden]))
