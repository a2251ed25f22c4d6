"""Texts of errors and steps, in two golden files that ``pytest tests/wording --rewrite`` writes.

Other tests assert the class of an error and one noun of it, so a text changes only here, and the
change is read as a diff. A case is a function without arguments: in ``errors_*.py`` it raises or
warns, in ``steps_*.py`` it returns a root. It is defined in the module or in its table CASES, and
its name is its title in the file::

    training_pages: an input that is a number
        OperandError: input 0 is 0.0: give a list of numbers
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scalargrad import ScalargradError, walk

HERE = Path(__file__).parent


def cases(kind: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the titles and the cases of the modules whose names begin with a kind."""
    for path in sorted(HERE.glob(f"{kind}_*.py")):
        module = importlib.import_module(f"tests.wording.{path.stem}")
        functions = {
            name: case
            for name, case in vars(module).items()
            if inspect.isfunction(case) and case.__module__ == module.__name__ and name[0] != "_"
        }
        for name, case in {**functions, **getattr(module, "CASES", {})}.items():
            yield f"{path.stem.removeprefix(kind + '_')}: {name.replace('_', ' ')}", case


def error_text(case: Callable[[], Any]) -> str:
    """Return the error or warning of a case, with its class."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            case()
        except (
            ScalargradError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            return f"{type(error).__name__}: {error}"
    assert warned, "the case neither raises nor warns"
    return f"{warned[0].category.__name__}: {warned[0].message}"


def step_texts(case: Callable[[], Any]) -> str:
    """Return the line, the sentence and the remarks of each step of the graph of a case.

    A case returns a root, or a root and a notation.
    """
    result = case()
    root, notation = result if isinstance(result, tuple) else (result, "partial")
    return "\n".join(
        " | ".join([x.text(notation), x.sentence(notation), *x.notes(notation)]) for x in walk(root)
    )


ERRORS, STEPS = dict(cases("errors")), dict(cases("steps"))


def block(text: str) -> str:
    """Return a text as a block of a golden file, indented."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def golden(request: pytest.FixtureRequest, name: str, found: Mapping[str, str]) -> dict[str, str]:
    """Return the blocks of a golden file by title; with --rewrite, write the file first."""
    file = HERE / name
    if request.config.getoption("--rewrite"):
        file.write_text("\n".join(f"{title}\n{block(found[title])}" for title in found), "utf-8")
        return {title: block(text) for title, text in found.items()}
    parts = (part.split("\n", 1) for part in file.read_text("utf-8").rstrip("\n").split("\n\n"))
    return {title: f"{text}\n" for title, text in parts}


@pytest.fixture(scope="module")
def errors(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the golden texts of errors."""
    rewrite = request.config.getoption("--rewrite")
    found = {title: error_text(case) for title, case in ERRORS.items()} if rewrite else {}
    return golden(request, "errors.txt", found)


@pytest.fixture(scope="module")
def steps(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the golden texts of steps."""
    rewrite = request.config.getoption("--rewrite")
    found = {title: step_texts(case) for title, case in STEPS.items()} if rewrite else {}
    return golden(request, "steps.txt", found)


@pytest.mark.parametrize("title", ERRORS)
def test_error_has_its_golden_text(title: str, errors: dict[str, str]) -> None:
    """An error or a warning has its class and its text."""
    assert block(error_text(ERRORS[title])) == errors.get(title)


@pytest.mark.parametrize("title", STEPS)
def test_steps_have_their_golden_texts(title: str, steps: dict[str, str]) -> None:
    """Each step of a graph has its line, sentence and remarks."""
    assert block(step_texts(STEPS[title])) == steps.get(title)


def test_golden_files_have_no_other_cases(errors: dict[str, str], steps: dict[str, str]) -> None:
    """A block without a case is left over from a removed one."""
    assert [*errors] == [*ERRORS]
    assert [*steps] == [*STEPS]
