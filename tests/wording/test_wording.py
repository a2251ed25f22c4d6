"""Words of errors and steps, in two files that ``pytest tests/wording --rewrite`` writes anew.

Elsewhere a test asks for the class of an error and one noun of it, so that words change here alone
and a change is read as a diff. A case is a function without arguments in ``errors_*.py`` that
raises, or in ``steps_*.py`` that returns a root, by itself or in the table CASES; its name counts.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scalargrad import ScalargradError, walk

HERE = Path(__file__).parent


def cases(kind: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the cases of the files whose names begin so, with where they stand."""
    for path in sorted(HERE.glob(f"{kind}_*.py")):
        module = importlib.import_module(f"tests.wording.{path.stem}")
        written = {
            name: case
            for name, case in vars(module).items()
            if inspect.isfunction(case) and case.__module__ == module.__name__ and name[0] != "_"
        }
        for name, case in {**written, **getattr(module, "CASES", {})}.items():
            yield f"{path.stem.removeprefix(kind + '_')}: {name.replace('_', ' ')}", case


def said(case: Callable[[], Any]) -> str:
    """Return what a case raises, or warns of, with its class."""
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


def steps(case: Callable[[], Any]) -> str:
    """Return of each step of the graph of a case its line, its sentence and its remarks.

    A case returns a root, or a root and a notation.
    """
    root, notation = made if isinstance(made := case(), tuple) else (made, "partial")
    return "\n".join(
        " | ".join([x.text(notation), x.sentence(notation), *x.notes(notation)]) for x in walk(root)
    )


def compare(request: pytest.FixtureRequest, name: str, found: dict[str, str]) -> None:
    """Compare with what the file says, or write it if that is asked for."""
    file = HERE / name
    blocks = (
        f"{title}\n" + "".join(f"    {x}\n" for x in text.splitlines())
        for title, text in found.items()
    )
    now = "\n".join(blocks)
    if request.config.getoption("--rewrite"):
        file.write_text(now, encoding="utf-8")
    assert now == file.read_text(encoding="utf-8")


def test_errors_say_what_the_file_says(request: pytest.FixtureRequest) -> None:
    """Each error and warning has its class and its words."""
    compare(request, "errors.txt", {title: said(case) for title, case in cases("errors")})


def test_steps_say_what_the_file_says(request: pytest.FixtureRequest) -> None:
    """Each step of each graph has its words."""
    compare(request, "steps.txt", {title: steps(case) for title, case in cases("steps")})
