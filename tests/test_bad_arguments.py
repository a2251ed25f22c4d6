"""Whatever is given for an argument: a result, or one line of ours that says what is wrong.

The table is generated from the reference: every public callable and method, every parameter, every
kind of bad input. What is new and public has to be entered in `tests/arguments.py`.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.arguments import BAD, call, public, state, takes

import scalargrad
from scalargrad import ScalargradError, Value
from scalargrad.errors import (
    ExpressionError,
    GradcheckError,
    JitWarning,
    MissingPackageError,
    StateError,
    TrainingWarning,
)
from scalargrad.table.operation import Operation

TABLE = {name: (found, made) for name, found, made in public()}
#: What a user's function, as plain Python, raises of its own for what it cannot take.
OWN = ("TypeError", "OverflowError", "KeyError")
OF_THE_FUNCTION = {
    ("hvp", "inputs"), ("jvp", "primals"), ("vjp", "primals"), ("gradcheck", "args"),
    ("Jitted.__call__", "args"), ("Jitted.explain", "args"), ("ChunkedSum.__call__", "params"),
    ("Jitted.export", "args"), ("drawn", "args"), ("scan", "init"),
    ("scan", "xs"), ("sum_over", "data"),
}  # fmt: skip
#: Parameters that are functions, which a class is, too: what it raises is its own.
FUNCTIONS = {
    "f",
    "function",
    "loss",
    "regularizer",
    "score",
    "objective",
    "lr_lambda",
    "method",
    "activations",
}


#: What says more than one line on purpose: where in an expression, all that does not fit.
LINES = (ExpressionError, GradcheckError, StateError)


def answer(run: Callable[[], Any]) -> str | None:
    """Return what is wrong with how a call ends; None if it returns, or says one line of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        warnings.simplefilter("ignore", JitWarning)
        try:
            run()
        except ScalargradError as error:
            lines = "\n" in str(error) and not isinstance(error, LINES)
            return f"more than one line: {error}" if lines else None
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return None  # the name of a file, which the system's own error tells
        except IndexError as error:
            return None if "index" in str(error) and "is" in str(error) else repr(error)
        except Exception as error:  # noqa: BLE001 - whatever else it is, it should not be
            return repr(error)
    return None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write where nothing else is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the plots, of which Matplotlib would warn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def complaints(name: str) -> list[str]:
    """Return what is wrong with how a callable answers."""
    found, made = TABLE[name]
    random.seed(0)
    try:
        call(name, found, made)[1]()
    except MissingPackageError as error:
        pytest.skip(str(error))
    said = []
    for parameter in takes(found):
        if parameter == "self":
            continue
        for kind, make in BAD.items():
            if kind == "a class" and parameter in FUNCTIONS:
                continue
            complaint = complaint_about(*call(name, found, made, parameter, make())) or ""
            own = (name, parameter) in OF_THE_FUNCTION and complaint.startswith(OWN)
            if complaint and not own:
                said.append(f"{name}({parameter}) given {kind}: {complaint}")
    return said


def complaint_about(parts: list[Any], run: Callable[[], Any]) -> str | None:
    """Return what is wrong with how one call ends, and with what it leaves behind."""
    before, files = state(parts), [*os.walk(".")]
    refused: list[Exception] = []

    def watched() -> None:
        try:
            run()
        except Exception as error:
            refused.append(error)
            raise

    complaint = answer(watched)
    if "matplotlib.pyplot" in sys.modules:  # which warns of many figures
        sys.modules["matplotlib.pyplot"].close("all")
    if complaint is None and refused and state(parts) != before:
        return "refused, and changed something"
    if complaint is None and refused and [*os.walk(".")] != files:
        return "refused, and left a file"
    return complaint


@pytest.mark.parametrize("name", TABLE)
def test_a_bad_argument_is_answered_in_one_line(name: str) -> None:
    """By an error of ours, with all as it was, or by a result where it makes sense."""
    assert not complaints(name)


OPERATIONS = [op for op in vars(scalargrad).values() if isinstance(op, Operation)]


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.name)
def test_a_bad_operand_is_answered_in_one_line(op: Any) -> None:
    """Of every operation of fixed arity, beside a number and beside a Value; and of sums."""
    arity = getattr(op, "arity", None)
    if arity is None and op.name not in {"sum", "mean", "logsumexp"}:
        return
    for kind, make in BAD.items():
        for good in (0.5, Value(0.5)):
            for i in range(arity or 1):
                given = [make() if k == i else good for k in range(arity or 1)]
                complaint = answer(partial(op, *given))
                assert complaint is None, f"{kind}: {complaint}"
