"""Whatever is given for an argument: a result, or one line of ours that says what is wrong.

The table is generated: every public callable, every parameter, every kind of bad input.
"""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import scalargrad
from scalargrad import Parameter, ScalargradError, Value, data, losses, nn, optim
from scalargrad.optim import lr_scheduler
from scalargrad.table.operation import Operation


def cyclic() -> list[Any]:
    """Return a list in itself."""
    found: list[Any] = [1.0]
    found.append(found)
    return found


BAD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "text": lambda: "text",
    "half a surrogate": lambda: "\ud800",
    "an object": object,
    "a class": lambda: int,
    "negative": lambda: -1,
    "a half": lambda: 1.5,
    "nan": lambda: math.nan,
    "infinite": lambda: math.inf,
    "huge": lambda: 10**400,
    "complex": lambda: 1j,
    "true": lambda: True,
    "empty": list,
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "cyclic": cyclic,
    "words": lambda: ["a", "b"],
    "a dict": lambda: {"a": 1.0},
    "three axes": lambda: np.ones((2, 3, 2)),
    "a generator": lambda: (i for i in range(3)),
}


def sgd() -> optim.SGD:
    """Build an optimiser with momentum."""
    return optim.SGD([Parameter(1.0)], lr=0.1, momentum=0.9)


#: What suits a parameter, by its name.
GOOD: dict[str, Callable[[], Any]] = {
    "f": lambda: lambda x: x * x,
    "args": lambda: 1.0,
    "inputs": lambda: 1.0,
    "v": lambda: 1.0,
    "primals": lambda: (1.0,),
    "tangents": lambda: (1.0,),
    "params": lambda: [Parameter(1.0)],
    "parameters": lambda: [Parameter(1.0)],
    "lr": lambda: 0.1,
    "max_norm": lambda: 1.0,
    "clip_value": lambda: 1.0,
    "optimizer": sgd,
    "step_size": lambda: 2,
    "milestones": lambda: [1],
    "gamma": lambda: 0.5,
    "T_max": lambda: 4,
    "T_0": lambda: 3,
    "lr_lambda": lambda: lambda epoch: 0.5,
    "max_lr": lambda: 1.0,
    "total_steps": lambda: 5,
    "input": lambda: [0.3, 0.4],
    "target": lambda: [0.0, 1.0],
    "tensor": lambda: [[Parameter(1.0), Parameter(2.0)]],
    "val": lambda: 1.0,
    "nonlinearity": lambda: "relu",
    "in_features": lambda: 2,
    "out_features": lambda: 1,
    "nin": lambda: 2,
    "nout": lambda: 1,
    "nouts": lambda: [2, 1],
    "num_embeddings": lambda: 3,
    "embedding_dim": lambda: 2,
    "threshold": lambda: 0.5,
    "value": lambda: 0.0,
    "model": lambda: nn.Linear(2, 1, rng=0),
}
#: Where a name means something else.
SCORES = {"input": lambda: [[0.1, 0.2]], "target": lambda: [0]}
OWN: dict[str, dict[str, Callable[[], Any]]] = {
    **dict.fromkeys(["cross_entropy", "nll_loss", "multi_margin_loss"], SCORES),
    "OneCycleLR": {"total_steps": lambda: 5},
}
#: Not called here: their arguments are programs or parts, or they are tested elsewhere.
LEFT_OUT = {
    "LRScheduler", "Optimizer", "SequentialLR", "ChainedScheduler", "torch_state_dict", "vjp",
    "backtracking_line_search", "Identity", "Sequential", "IncompatibleKeys", "Summary",
}  # fmt: skip

SPACES: list[tuple[Any, set[str] | None]] = [
    (scalargrad, {"grad", "value_and_grad", "jvp", "hvp", "hessian", "gradcheck"}
     | {"jacobian", "jacfwd", "jacrev"}),
    (optim, None),
    (lr_scheduler, None),
    (losses, None),
    (nn.init, None),
    (nn, None),
    (data, {"moons", "circles", "blobs", "spirals", "xor", "sine"}),
]  # fmt: skip


def public() -> Iterator[Any]:
    """Yield every public callable, once."""
    seen: set[int] = set()
    for space, only in SPACES:
        for name, found in vars(space).items():
            own = getattr(found, "__module__", "").startswith("scalargrad")
            own &= not (isinstance(found, type) and issubclass(found, BaseException))
            chosen = not name.startswith("_") and (only is None or name in only)
            if (
                callable(found)
                and own
                and chosen
                and name not in LEFT_OUT
                and id(found) not in seen
            ):
                seen.add(id(found))
                if _arguments(found) is not None:
                    yield pytest.param(found, id=f"{space.__name__.rpartition('.')[2]}.{name}")


def _arguments(found: Any) -> dict[str, Callable[[], Any]] | None:
    """Return what makes good arguments; None where one is not known."""
    own = OWN.get(found.__name__, {})
    needed = {}
    for name, p in inspect.signature(found).parameters.items():
        if p.kind is not p.VAR_KEYWORD and (p.default is p.empty or name in own):
            if name not in own and name not in GOOD:
                return None
            needed[name] = own.get(name) or GOOD[name]
    return needed


def call(found: Any, changed: str = "", bad: Any = None) -> Any:
    """Call with good arguments but one."""
    given, named = [], {}
    needed = _arguments(found) or {}
    for name, p in inspect.signature(found).parameters.items():
        if name != changed and name not in needed:
            continue
        x = bad if name == changed else needed[name]()
        if p.kind is p.VAR_POSITIONAL or (p.default is p.empty and p.kind is not p.KEYWORD_ONLY):
            given.append(x)
        else:
            named[name] = x
    return found(*given, **named)


def answer(run: Callable[[], Any]) -> str | None:
    """Return what is wrong with how a call ends; None if it returns, or says one line of ours."""
    try:
        run()
    except ScalargradError as error:
        return f"more than one line: {error}" if "\n" in str(error) else None
    except Exception as error:  # noqa: BLE001 - whatever else it is, it should not be
        return repr(error)
    return None


CALLABLES = list(public())
#: A user's function that is called with what it cannot take raises an error of its own.
OF_THE_FUNCTION = {("hvp", "inputs"), ("jvp", "primals"), ("gradcheck", "args")}


def test_the_table_is_of_everything() -> None:
    """Losses, optimisers, schedules, modules, initialisers, data and transformations."""
    assert len(CALLABLES) >= 80


@pytest.mark.parametrize("found", CALLABLES)
def test_a_bad_argument_is_answered_in_one_line(found: Any) -> None:
    """By an error of ours, or by a result where it makes sense."""
    random.seed(0)
    call(found)
    for name, p in inspect.signature(found).parameters.items():
        if p.kind is p.VAR_KEYWORD or (found.__name__, name) in OF_THE_FUNCTION:
            continue
        for kind, make in BAD.items():
            complaint = answer(partial(call, found, name, make()))
            assert complaint is None, f"{name} given {kind}: {complaint}"


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
