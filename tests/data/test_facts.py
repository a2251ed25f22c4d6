"""Names of countries, capitals and elements."""

from __future__ import annotations

import pytest

from scalargrad.data import Fact, facts, names
from scalargrad.errors import OperandError


def test_there_are_as_many_names_as_in_the_world() -> None:
    """193 members and 2 observers of the United Nations, their capitals, and 118 elements."""
    assert [len(names(kind)) for kind in ("country", "capital", "element")] == [195, 195, 118]
    assert len(names()) == len(facts()) == 508


@pytest.mark.parametrize("kind", ["country", "capital", "element"])
def test_no_name_occurs_twice_in_a_kind(kind: str) -> None:
    """Names of one kind are distinct, and each has something said about it."""
    chosen = [fact for fact in facts() if fact.kind == kind]
    assert len({fact.name for fact in chosen}) == len({fact.about for fact in chosen})
    assert all(fact.name.strip() == fact.name and fact.about for fact in chosen)


def test_countries_and_capitals_point_at_each_other() -> None:
    """A capital's country is the country whose capital it is."""
    of_country = {fact.name: fact.about for fact in facts() if fact.kind == "country"}
    for fact in facts():
        if fact.kind == "capital":
            assert of_country[fact.about] == fact.name


@pytest.mark.parametrize(
    ("number", "name", "symbol"),
    [(1, "Hydrogen", "H"), (26, "Iron", "Fe"), (74, "Tungsten", "W"), (118, "Oganesson", "Og")],
)
def test_elements_stand_at_their_atomic_numbers(number: int, name: str, symbol: str) -> None:
    """The elements are in the order of the periodic table."""
    elements = [fact for fact in facts() if fact.kind == "element"]
    assert elements[number - 1] == Fact("element", name, symbol)


def test_symbols_are_written_as_chemists_write_them() -> None:
    """One capital letter, or one and a small one."""
    symbols = [fact.about for fact in facts() if fact.kind == "element"]
    assert all(s[0].isupper() and (len(s) == 1 or s[1:].islower()) for s in symbols)
    assert max(map(len, symbols)) == 2


def test_an_unknown_kind_is_refused() -> None:
    """The error lists the kinds there are."""
    with pytest.raises(OperandError, match="'river': choose from country, capital, element"):
        names("river")  # type: ignore[arg-type]
