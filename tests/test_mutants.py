"""The mutation runner, ``python -m fuzz.mutants``: it finds its tests, and tells changes apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzz import mutants
from fuzz.covering import TESTS, definition, statement
from fuzz.equivalents import reason
from fuzz.mutants import NEAREST


def test_outcomes_of_mutants_are_kept_in_a_fresh_clone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder of results, which the repository does not hold, is made with the first of them."""
    monkeypatch.setattr(mutants, "RESULTS", tmp_path / "found" / "mutants.jsonl")
    for outcome in ("killed", "survived"):
        mutants.keep([outcome, "optim/rules.py", 3])
    lines = mutants.RESULTS.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)[0] for line in lines] == ["killed", "survived"]


def test_the_tests_of_mutants_are_where_they_are_looked_for() -> None:
    """A file that was moved away would let every mutant pass for killed."""
    root = Path(__file__).parents[1]
    for changed, tests in NEAREST.items():
        assert all((root / path).exists() for path in [f"src/scalargrad/{changed}", *tests])
    assert all((root / path).exists() for path in TESTS)


CODE = """def f(x):
    if x > 0:
        return g(
            x,
            1,
        )
    return []
"""


@pytest.mark.parametrize(
    ("line", "lines"), [(1, [1]), (2, [2]), (3, [3, 4, 5, 6]), (5, [3, 4, 5, 6]), (7, [7])]
)
def test_a_statement_is_all_its_lines_and_of_a_block_the_head(line: int, lines: list[int]) -> None:
    """Tests that execute a number on a line of its own may be noted for another line."""
    assert [*statement(CODE, line)] == lines


@pytest.mark.parametrize(("line", "name"), [(1, ""), (3, "f"), (4, "f"), (5, "f"), (7, "A")])
def test_a_change_is_in_the_outermost_definition_decorators_included(line: int, name: str) -> None:
    """Tests that are named like it run first."""
    code = "x = 1\n\n@g(2)\ndef f():\n    return 3\n\nclass A: y = 4\n"
    assert definition(code, line) == name


DECLARED = """@primitive(domain=Domain((0.5, 2.0), smooth=lambda σ: σ > 0.1, safe=1.0))
def f(x=3.0): ...
@overload
def g(x=3.0): ...
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2.0", "9.0", "where tests draw"),
        ("σ > 0.1", "σ > 0.9", "difference quotients"),
        ("safe=1.0", "safe=9.0", None),
        ("def f(x=3.0", "def f(x=9.0", None),
        ("def g(x=3.0", "def g(x=9.0", "type checkers"),
    ],
)
def test_changes_that_only_tests_or_type_checkers_see_compute_the_same(
    old: str, new: str, said: str | None
) -> None:
    """What follows them on the same line is not excused."""
    found = reason("some.py", DECLARED, DECLARED.replace(old, new), ("", ""))
    assert found is None if said is None else said in (found or "")
