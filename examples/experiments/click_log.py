"""A synthetic click log, sampled from a known model, and encodings of its categorical features.

The model has the structure that wide and deep recommenders are designed to learn: exceptions for
single pairs, which can only be memorized; combinations of features; and tastes, which generalize
to unseen pairs. Users, items and pairs are generated on demand, each from its own seed, so a
million users take no memory.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

from scalargrad.data import Dataset
from scalargrad.errors import DomainError, OperandError
from scalargrad.losses import binary_cross_entropy
from scalargrad.ops import sigmoid

__all__ = ["ClickModel", "Impression", "Vocabulary", "crossed"]

#: The language that most users of a country speak in this model.
_SPOKEN_IN = {
    "Brazil": "Portuguese",
    "Germany": "German",
    "India": "Hindi",
    "Japan": "Japanese",
    "Nigeria": "English",
    "USA": "English",
}
COUNTRIES = tuple(_SPOKEN_IN)
LANGUAGES = ("English", "German", "Hindi", "Japanese", "Portuguese")
DEVICES = ("desktop", "phone", "tablet", "television")
TOPICS = ("cooking", "games", "music", "news", "science", "sport")

#: Maximum number of attempts to draw a pair that is unseen, or one that is not.
_MAX_ATTEMPTS = 1000


class Impression(NamedTuple):
    """One display of an item to a user, with the features of both and the context.

    Attributes
    ----------
    user, item : int
        The index of the user and of the item, from 0.
    country, language : str
        Country and language of the user.
    device, hour, weekday : str, int, int
        The context: the kind of device, the hour from 0 to 23, the weekday from 0 (Monday) to 6.
    history : float
        Fraction of the user's last 20 impressions that were clicked, in [0, 1].
    topic, spoken : str
        Topic and language of the item.
    """

    user: int
    item: int
    country: str
    language: str
    device: str
    hour: int
    weekday: int
    history: float
    topic: str
    spoken: str


@dataclass(frozen=True)
class User:
    """A user: the features visible to a recommender, and the hidden tastes and eagerness."""

    country: str
    language: str
    history: float
    tastes: tuple[float, ...]
    eagerness: float


@dataclass(frozen=True)
class Item:
    """An item: the features visible to a recommender, and the hidden traits."""

    topic: str
    spoken: str
    traits: tuple[float, ...]


@dataclass(frozen=True)
class ClickModel:
    """A click model, P(click) = σ(bias + exception + language + device × topic + hour + …).

    The remaining terms are the eagerness of the user and the product of tastes and traits.

    Parameters
    ----------
    users, items : int
        Number of users and of items, which are generated on demand.
    bias : float
        Log-odds of a click for a neutral impression.
    latent : int
        Length of the vectors of tastes and traits; the entries are normally distributed with
        standard deviation 1.2.
    exceptional, unseen : float
        Fractions in [0, 1). `unseen` is the fraction of all pairs that never occur in a log;
        `exceptional` is the fraction of the others that have an individual weight, +3 or -3.
    popularity : float
        Skew of the log: the first u users have the fraction (u/users)^(1/popularity) of all
        impressions, and likewise for items. With 1 they are uniform; with larger values, few users
        and items dominate.
    seed : int
        Equal seeds give equal models.

    Raises
    ------
    OperandError
        If `users` or `items` is 0.
    DomainError
        If another option is out of its range.

    References
    ----------
    Cheng et al., Wide & deep learning for recommender systems, 2016, section 3.

    Examples
    --------
    >>> truth = ClickModel(users=10**6, items=10**5, seed=1)
    >>> truth.impression(123_456, 7, "phone", hour=21, weekday=5).topic
    'games'
    """

    users: int = 20
    items: int = 20
    _: KW_ONLY
    bias: float = -1.0
    latent: int = 2
    exceptional: float = 0.05
    unseen: float = 0.2
    popularity: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"users": 1, "items": 1, "latent": 0, "popularity": 1}.items():
            if not getattr(self, name) >= least:
                raise DomainError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("exceptional", "unseen"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise DomainError(
                    f"{name} is {getattr(self, name)}; it must be at least 0 and less than 1"
                )

    def user(self, number: int) -> User:
        """Return the user with an index, the same at every call."""
        rng = self._rng("user", number)
        country = rng.choice(COUNTRIES)
        language = rng.choice(LANGUAGES) if rng.random() < 0.2 else _SPOKEN_IN[country]
        eagerness = rng.gauss(0, 0.7)
        rate = sigmoid(self.bias + eagerness)
        history = sum(rng.random() < rate for _ in range(20)) / 20
        tastes = tuple(rng.gauss(0, 1.2) for _ in range(self.latent))
        return User(country, language, history, tastes, eagerness)

    def item(self, number: int) -> Item:
        """Return the item with an index, the same at every call."""
        rng = self._rng("item", number)
        traits = tuple(rng.gauss(0, 1.2) for _ in range(self.latent))
        return Item(rng.choice(TOPICS), rng.choice(LANGUAGES), traits)

    def exception(self, user: int, item: int) -> float:
        """Return the weight of a pair in log-odds: +3 or -3 for exceptional pairs, else 0."""
        if self.is_unseen(user, item):
            return 0.0
        rng = self._rng("exception", user, item)
        return rng.choice((-3.0, 3.0)) if rng.random() < self.exceptional else 0.0

    def is_unseen(self, user: int, item: int) -> bool:
        """Return True if this pair never occurs in a log."""
        return self.unseen > 0.0 and self._rng("unseen", user, item).random() < self.unseen

    def impression(self, user: int, item: int, device: str, hour: int, weekday: int) -> Impression:
        """Return the features of an item shown to a user in a context."""
        u, i = self.user(user), self.item(item)
        context = device, hour, weekday
        return Impression(user, item, u.country, u.language, *context, u.history, i.topic, i.spoken)

    def log_odds(self, shown: Impression) -> float:
        """Return the true log-odds of a click, in nats."""
        user, item = self.user(shown.user), self.item(shown.item)
        device_topic = self._rng("device × topic", shown.device, shown.topic).gauss(0, 0.7)
        evening = 0.4 * math.cos(math.tau * (shown.hour - 21) / 24) + 0.2 * (shown.weekday > 4)
        return math.fsum(
            (
                self.bias,
                self.exception(shown.user, shown.item),
                0.8 if shown.language == shown.spoken else -0.4,
                device_topic,
                evening,
                user.eagerness,
                math.fsum(a * b for a, b in zip(user.tastes, item.traits, strict=True)),
            )
        )

    def probability(self, shown: Impression) -> float:
        """Return the true probability of a click, dimensionless."""
        return sigmoid(self.log_odds(shown))

    def log(self, n: int, seed: int = 0, unseen: bool = False) -> Dataset[Impression, int]:
        """Return n random impressions and whether each was clicked.

        Parameters
        ----------
        n : int
            Number of impressions.
        seed : int
            Equal seeds give equal logs.
        unseen : bool
            Draw only from the pairs that otherwise never occur in a log.

        Returns
        -------
        Dataset
            n impressions, and n targets: 1 clicked, 0 not clicked.

        Raises
        ------
        OperandError
            If no pair is found, because `ClickModel.unseen` is too small or too large.
        """
        rng = random.Random(seed)
        impressions = [self._draw(rng, unseen) for _ in range(n)]
        clicks = [int(rng.random() < self.probability(x)) for x in impressions]
        return Dataset(impressions, clicks)

    def _draw(self, rng: random.Random, unseen: bool) -> Impression:
        for _ in range(_MAX_ATTEMPTS):
            user = int(self.users * rng.random() ** self.popularity)
            item = int(self.items * rng.random() ** self.popularity)
            if self.is_unseen(user, item) == unseen:
                context = rng.choice(DEVICES), rng.randrange(24), rng.randrange(7)
                return self.impression(user, item, *context)
        raise OperandError(
            f"{'no unseen' if unseen else 'no seen'} pair found among {self.users} users × "
            f"{self.items} items with unseen={self.unseen}; with unseen=0.2 there are both"
        )

    def log_loss(self, impressions: Iterable[Impression], clicks: Iterable[int]) -> float:
        """Return the mean log loss of the true probabilities, in nats.

        It is the minimum of the expected log loss over all models.
        """
        chances = [self.probability(x) for x in impressions]
        return float(binary_cross_entropy(chances, [float(x) for x in clicks]))

    def _rng(self, *key: object) -> random.Random:
        """Return the random generator of a user, an item, a pair or a combination."""
        try:
            return random.Random(f"{self.seed} {' '.join(map(str, key))}")
        except (UnicodeEncodeError, ValueError, RecursionError):
            raise OperandError(
                f"{key!r} cannot be written as text; give the numbers of a user and an item"
            ) from None


# Categorical features: an index for each value, a hash bucket for each combination ----------------


class Vocabulary:
    """A mapping from values to rows of an embedding; unknown values have row 0.

    Parameters
    ----------
    values : iterable of hashable
        The known values, such as the users of a log. Memory is proportional to their number, not
        to the number of all users.

    Examples
    --------
    >>> devices = Vocabulary(["phone", "desktop", "phone"])
    >>> len(devices), devices.row("desktop"), devices.row("watch")
    (3, 2, 0)
    """

    __slots__ = ("_rows",)

    def __init__(self, values: Iterable[Hashable]) -> None:
        known = [_check_hashable(value) for value in values]
        self._rows = {value: row for row, value in enumerate(dict.fromkeys(known), 1)}

    def row(self, value: Hashable) -> int:
        """Return the row of a value, or 0 if it is unknown."""
        return self._rows.get(_check_hashable(value), 0)

    def __len__(self) -> int:
        return len(self._rows) + 1

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self._rows)} values"


def _check_hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise OperandError(
            f"the value {value!r} cannot be looked up; give text or numbers"
        ) from None
    return value


def crossed(*values: object, buckets: int) -> int:
    """Return the hash bucket of a combination of values, such as a user and an item.

    Parameters
    ----------
    *values
        The values to combine; they are hashed as text.
    buckets : int
        Number of buckets, which bounds the memory for any number of combinations.

    Returns
    -------
    int
        In 0 … buckets - 1, the same in every run and on every machine. Two combinations may share
        a bucket.

    Raises
    ------
    OperandError
        If `buckets` is under 1.

    References
    ----------
    Weinberger et al., Feature hashing for large scale multitask learning, 2009.

    Examples
    --------
    >>> crossed("device", "phone", "topic", "news", buckets=1000)
    992
    """
    if buckets < 1:
        raise OperandError(f"buckets is {buckets}; it must be at least 1")
    combined = "\x1f".join(map(str, values))
    return zlib.crc32(combined.encode()) % buckets
