"""Names of countries, capitals and chemical elements, each with one fact."""

from __future__ import annotations

from importlib import resources
from typing import Literal, NamedTuple

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import is_word

Kind = Literal["country", "capital", "element"]
KINDS: tuple[Kind, ...] = ("country", "capital", "element")


class Fact(NamedTuple):
    """One name and one fact about it.

    Attributes
    ----------
    kind : str
        ``"country"``, ``"capital"`` or ``"element"``.
    name : str
        Such as ``"France"``, ``"Paris"`` or ``"Helium"``.
    about : str
        A country's capital, a capital's country, or an element's symbol.
    """

    kind: Kind
    name: str
    about: str


def facts() -> list[Fact]:
    """Load 508 facts: 195 countries, their capitals, and 118 chemical elements.

    Returns
    -------
    list of Fact
        Countries in alphabetical order, then capitals in the same order, then elements by number.

    Notes
    -----
    The data file states where its entries come from and which choices it makes.

    Examples
    --------
    >>> [fact for fact in facts() if "Paris" in fact]
    [Fact(kind='country', name='France', about='Paris'), Fact(kind='capital', name='Paris', about='France')]
    """  # noqa: E501 - a doctest's output is one line
    text = resources.files(__package__).joinpath("facts.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]
    countries = [(name, about) for kind, name, about in rows if kind == "country"]
    return [
        *(Fact("country", country, capital) for country, capital in countries),
        *(Fact("capital", capital, country) for country, capital in countries),
        *(Fact("element", name, about) for kind, name, about in rows if kind == "element"),
    ]


def names(kind: Kind | None = None) -> list[str]:
    """List the names of one kind, or of all kinds.

    Parameters
    ----------
    kind : {"country", "capital", "element"}, optional
        By default names of every kind.

    Returns
    -------
    list of str
        In the order of `facts`.

    Raises
    ------
    OperandError
        If there is no such kind.

    Examples
    --------
    >>> names("element")[:3]
    ['Hydrogen', 'Helium', 'Lithium']
    """
    if kind is not None and not is_word(kind, KINDS):
        raise OperandError(
            f"there are no names of kind {shown(kind)}: choose from {', '.join(KINDS)}"
        )
    return [fact.name for fact in facts() if kind in (None, fact.kind)]
