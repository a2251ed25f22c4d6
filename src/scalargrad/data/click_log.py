"""A synthetic click log, drawn from a known model, and its categories as numbers.

The model has what a wide and deep recommender is built to learn: exceptions that can only be
memorised, pair by pair; combinations of features; and tastes that generalise to pairs never
shown. Users, items and pairs are drawn when they are asked for, each from a seed of its own, so
that a world of a million users takes no memory.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

from scalargrad.data.datasets import Dataset
from scalargrad.errors import OperandError
from scalargrad.losses import binary_cross_entropy
from scalargrad.ops import sigmoid
from scalargrad.system.short_repr import format_value
from scalargrad.table.validation import flag, fraction, instance, listed, number, size, text, whole

__all__ = ["ClickModel", "Impression", "Vocabulary", "crossed"]

#: Countries, each with the language that most of its users speak in this model.
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

_ATTEMPTS = 1000


class Impression(NamedTuple):
    """One item shown to one user, and what was known of both at the time.

    Attributes
    ----------
    user, item : int
        Their numbers, from 0.
    country, language : str
        Those of the user.
    device, hour, weekday : str, int, int
        The context: the kind of device, the hour from 0 to 23, the weekday from 0 (Monday) to 6.
    history : float
        The share of the user's last 20 impressions that were clicked, in [0, 1].
    topic, spoken : str
        What the item is about, and its language.
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
    """A user: the attributes that a recommender sees, and hidden tastes and eagerness."""

    country: str
    language: str
    history: float
    tastes: tuple[float, ...]
    eagerness: float


@dataclass(frozen=True)
class Item:
    """An item: the attributes that a recommender sees, and hidden traits."""

    topic: str
    spoken: str
    traits: tuple[float, ...]


@dataclass(frozen=True)
class ClickModel:
    """P(click) = σ(bias + exception + language + device × topic + hour + eagerness + taste).

    Parameters
    ----------
    users, items : int
        How many there are; each is drawn when it is asked for.
    bias : float
        Log-odds of a click for a neutral impression.
    latent : int
        Length of the vectors of tastes and traits, whose entries are normal with standard
        deviation 1.2.
    exceptional, unseen : float
        Shares in [0, 1). Of all pairs, a log never shows the share `unseen`; of the others,
        `exceptional` is the share with a weight of their own, +3 or -3.
    popularity : float
        How unevenly a log is spread: the first u users have a share (u/users)^(1/popularity) of it,
        and items likewise. 1 is evenly; the larger, the fewer users and items dominate.
    seed : int
        Equal seeds give equal models.

    Raises
    ------
    OperandError
        If there are no users or items.
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
        size(self.users, "users", 1)
        size(self.items, "items", 1)
        size(self.latent, "latent")
        fraction(self.exceptional, "exceptional")
        fraction(self.unseen, "unseen")
        number(self.bias, "bias")
        number(self.popularity, "popularity", 1.0)
        whole(self.seed, "seed")

    def user(self, number: int) -> User:
        """Return a user, the same at every call."""
        rng = self._rng("user", whole(number, "number"))
        country = rng.choice(COUNTRIES)
        language = rng.choice(LANGUAGES) if rng.random() < 0.2 else _SPOKEN_IN[country]
        eagerness = rng.gauss(0, 0.7)
        rate = sigmoid(self.bias + eagerness)
        history = sum(rng.random() < rate for _ in range(20)) / 20
        tastes = tuple(rng.gauss(0, 1.2) for _ in range(self.latent))
        return User(country, language, history, tastes, eagerness)

    def item(self, number: int) -> Item:
        """Return an item, the same at every call."""
        rng = self._rng("item", whole(number, "number"))
        traits = tuple(rng.gauss(0, 1.2) for _ in range(self.latent))
        return Item(rng.choice(TOPICS), rng.choice(LANGUAGES), traits)

    def exception(self, user: int, item: int) -> float:
        """Return the weight of a pair, in log-odds: +3, -3, or 0 for most and for unseen pairs."""
        if self.is_unseen(user, item):
            return 0.0
        rng = self._rng("exception", user, item)
        return rng.choice((-3.0, 3.0)) if rng.random() < self.exceptional else 0.0

    def is_unseen(self, user: int, item: int) -> bool:
        """Return whether logs leave this pair out."""
        return self.unseen > 0.0 and self._rng("unseen", user, item).random() < self.unseen

    def impression(self, user: int, item: int, device: str, hour: int, weekday: int) -> Impression:
        """Return the features known when an item is shown to a user in a context."""
        who, what = self.user(user), self.item(item)
        known = (user, item, who.country, who.language, device, hour, weekday, who.history)
        return Impression(*known, what.topic, what.spoken)

    def log_odds(self, shown: Impression) -> float:
        """Return the true log-odds of a click, in nats."""
        instance(shown, "shown", Impression, "an Impression, as log() has them")
        who, what = self.user(shown.user), self.item(shown.item)
        liking = self._rng("device × topic", shown.device, shown.topic).gauss(0, 0.7)
        evening = 0.4 * math.cos(math.tau * (shown.hour - 21) / 24) + 0.2 * (shown.weekday > 4)
        return math.fsum(
            (
                self.bias,
                self.exception(shown.user, shown.item),
                0.8 if shown.language == shown.spoken else -0.4,
                liking,
                evening,
                who.eagerness,
                math.fsum(a * b for a, b in zip(who.tastes, what.traits, strict=True)),
            )
        )

    def probability(self, shown: Impression) -> float:
        """Return the true probability of a click, dimensionless."""
        return sigmoid(self.log_odds(shown))

    def log(self, n: int, seed: int = 0, unseen: bool = False) -> Dataset[Impression, int]:
        """Draw n impressions and whether each was clicked.

        Parameters
        ----------
        n : int
            Number of impressions.
        seed : int
            Equal seeds give equal logs.
        unseen : bool
            Draw only from the pairs that logs leave out.

        Returns
        -------
        Dataset
            n impressions, and n targets: 1 clicked, 0 not.

        Raises
        ------
        OperandError
            If no such pairs are found, because too few, or too many, are unseen.
        """
        n, unseen = size(n, "n"), flag(unseen, "unseen")
        rng = random.Random(whole(seed, "seed"))
        shown = [self._draw(rng, unseen) for _ in range(n)]
        return Dataset(shown, [int(rng.random() < self.probability(x)) for x in shown])

    def _draw(self, rng: random.Random, unseen: bool) -> Impression:
        for _ in range(_ATTEMPTS):
            user = int(self.users * rng.random() ** self.popularity)
            item = int(self.items * rng.random() ** self.popularity)
            if self.is_unseen(user, item) == unseen:
                context = rng.choice(DEVICES), rng.randrange(24), rng.randrange(7)
                return self.impression(user, item, *context)
        raise OperandError(
            f"of {self.users} users × {self.items} items no pair was found that is "
            f"{'' if unseen else 'not '}unseen: `unseen` is {self.unseen}; 0.2 leaves both kinds"
        )

    def log_loss(self, impressions: Iterable[Impression], clicks: Iterable[int]) -> float:
        """Return the mean log loss of the true probabilities, in nats: no model can expect less."""
        given = listed(impressions, "impressions", "Impressions")
        clicked = [number(x, "a click", 0, 1) for x in listed(clicks, "clicks", "0 and 1")]
        return float(binary_cross_entropy([self.probability(x) for x in given], clicked))

    def _rng(self, *what: object) -> random.Random:
        """Return the generator of one user, item, pair or combination."""
        try:
            return random.Random(f"{self.seed} {' '.join(map(str, what))}")
        except (UnicodeEncodeError, ValueError, RecursionError):
            raise OperandError(
                f"{format_value(what)} cannot be written as text; give the numbers of a user and "
                "an item"
            ) from None


# Categories: a row of a table for each value, a hash bucket for each cross ------------------------


class Vocabulary:
    """Known values, each with a row of its own; row 0 is for all others.

    Parameters
    ----------
    values : iterable of hashable
        Such as the users of a log. Memory grows with these, not with all that exist.

    Examples
    --------
    >>> devices = Vocabulary(["phone", "desktop", "phone"])
    >>> len(devices), devices.row("desktop"), devices.row("watch")
    (3, 2, 0)
    """

    __slots__ = ("_rows",)

    def __init__(self, values: Iterable[Hashable]) -> None:
        given = [_hashable(value) for value in listed(values, "values", "names or numbers")]
        self._rows = {value: row for row, value in enumerate(dict.fromkeys(given), 1)}

    def row(self, value: Hashable) -> int:
        """Return the row of a value, 0 if it has none."""
        return self._rows.get(_hashable(value), 0)

    def __len__(self) -> int:
        return len(self._rows) + 1

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self._rows)} values"


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise OperandError(
            f"the value {format_value(value)} cannot be looked up; give text or numbers"
        ) from None
    return value


def crossed(*values: object, buckets: int) -> int:
    """Return the bucket of a combination of values, such as a user and an item.

    Parameters
    ----------
    *values
        The values to combine; they are hashed as text.
    buckets : int
        Number of buckets, which bounds the memory however many combinations there are.

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
    buckets = whole(buckets, "buckets", 1)
    written = "\x1f".join(map(str, values))
    return zlib.crc32(text(written, "what is crossed").encode()) % buckets
