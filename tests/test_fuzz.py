"""Damaged files and states are loaded completely or are a StateError that changes nothing.

`positions` and `ODD` change JSON so that it remains JSON: changed bytes hardly get past a parser.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.random_seeds import FEWER_EXAMPLES

from scalargrad import Parameter, StateError, losses, nn, optim, train
from scalargrad.errors import NumericalError, ScalargradError
from scalargrad.optim import lr_scheduler as schedules

pytestmark = pytest.mark.differential

#: Values that replace parts of a document.
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3, 7, 625, 2**32, 2**63, -(2**63), 10**400),
    *(0.5, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf),
    *("", "x", "\ud800", "a\0b", [], {}, [[]], [None], {"": None}, {"dict": []}, {"tuple": []}),
]


def positions(owner: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the owner and key of each part; of long lists only the first and last few."""
    keys = list(owner) if isinstance(owner, dict) else range(len(owner))
    for key in keys if len(keys) <= 16 else [*keys[:8], *keys[-8:]]:
        yield owner, key
        if isinstance(owner[key], dict | list):
            yield from positions(owner[key])


def copy_containers(x: Any) -> Any:
    """Return a copy of nested lists and dicts."""
    if isinstance(x, list):
        return [copy_containers(y) for y in x]
    return {key: copy_containers(y) for key, y in x.items()} if isinstance(x, dict) else x


@st.composite
def changed_documents(draw: st.DrawFn, document: Any) -> Any:
    """Return a document with one to three parts replaced, repeated, removed, wrapped or moved."""
    whole = [copy_containers(document)]
    for _ in range(draw(st.integers(1, 3))):
        spots = list(positions(whole))
        if not spots:
            break
        owner, key = spots[draw(st.integers(0, len(spots) - 1))]
        other_owner, other_key = spots[draw(st.integers(0, len(spots) - 1))]
        other, kind = copy_containers(other_owner[other_key]), draw(st.integers(0, 5))
        if kind == 0 and isinstance(owner, dict):
            owner[draw(st.sampled_from(["", "x", str(other_key)]))] = owner.pop(key)
        elif kind == 1 and owner is not whole:
            del owner[key]
        elif kind == 2 and isinstance(owner, list) and owner is not whole:
            owner.insert(key, copy_containers(owner[key]))
        elif kind == 3:
            owner[key] = draw(st.sampled_from([[owner[key]], {"x": owner[key]}]))
        else:
            owner[key] = other if kind == 4 else copy_containers(draw(st.sampled_from(ODD)))
    return whole[0]


def damaged_bytes(whole: bytes) -> st.SearchStrategy[bytes]:
    """Return bytes cut short, joined with others, or partly exchanged."""
    at = st.integers(0, len(whole))
    return st.one_of(
        st.binary(max_size=40),
        at.map(lambda i: whole[:i]),
        st.tuples(at, st.binary(max_size=9)).map(lambda x: whole[: x[0]] + x[1] + whole[x[0] :]),
        st.tuples(at, st.binary(min_size=1, max_size=9)).map(
            lambda x: whole[: x[0]] + x[1] + whole[x[0] + len(x[1]) :]
        ),
    )


# Files of models --------------------------------------------------------------------------------


def loads_model(path: Path, data: bytes) -> bool:
    """Return True if a model loads these bytes; otherwise check that it is unchanged."""
    path.write_bytes(data)
    model = nn.Linear(2, 1)
    before = [p.data for p in model.parameters()]
    try:
        nn.load_model(model, path)
    except StateError:
        assert [p.data for p in model.parameters()] == before
        return False
    assert all(type(p.data) is float for p in model.parameters())
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the files of all examples."""
    return tmp_path_factory.mktemp("fuzz")


@given(data=st.data())
def test_load_model_of_a_damaged_file_is_refused_or_complete(
    folder: Path, data: st.DataObject
) -> None:
    """The bytes of the file are damaged, or the JSON of its header."""
    nn.save_model(nn.Linear(2, 1), folder / "whole")
    whole = (folder / "whole").read_bytes()
    assert loads_model(folder / "file", whole)
    loads_model(folder / "file", data.draw(damaged_bytes(whole)))
    length = int.from_bytes(whole[:8], "little")
    header = json.dumps(data.draw(changed_documents(json.loads(whole[8 : 8 + length])))).encode()
    body = len(header).to_bytes(8, "little") + header + whole[8 + length :]
    loads_model(folder / "file", body)


# Checkpoints ------------------------------------------------------------------------------------


def fit(path: Path, resume: bool) -> None:
    """Train for three epochs."""
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train.fit(
            model,
            [[0.0], [1.0]],
            [[1.0], [3.0]],
            loss=losses.mse_loss,
            jit=False,
            optimizer=optimizer,
            epochs=3,
            checkpoint=path,
            resume=resume,
            quiet=True,
        )


def resumes(path: Path, data: bytes) -> bool:
    """Return True if training resumes from these bytes; otherwise the file must be unchanged."""
    path.write_bytes(data)
    try:
        fit(path, resume=True)
    except NumericalError:
        return True  # numbers that are far too large may be resumed from, and overflow then
    except StateError:
        assert path.read_bytes() == data
        return False
    return True


@given(data=st.data())
def test_fit_resumes_from_or_refuses_a_damaged_checkpoint(
    folder: Path, data: st.DataObject
) -> None:
    """The bytes of the file are damaged, or its state."""
    whole = folder / "checkpoint"
    if not whole.exists():
        fit(whole, resume=False)
    content = json.loads(whole.read_text())
    assert resumes(folder / "torn", whole.read_bytes())
    resumes(folder / "torn", data.draw(damaged_bytes(whole.read_bytes())))
    resumes(
        folder / "torn",
        json.dumps({**content, "state": data.draw(changed_documents(content["state"]))}).encode(),
    )


# States of optimizers and schedulers --------------------------------------------------------------

Part = Any  # an optimizer or a scheduler


def _optimizer(kind: Callable[..., optim.Optimizer], **options: Any) -> Callable[[], Any]:
    def made() -> tuple[Part, optim.Optimizer]:
        groups = [{"params": [Parameter(1.0), Parameter(2.0)]}, {"params": [Parameter(3.0)]}]
        optimizer = kind(groups, lr=0.1, **options)
        return optimizer, optimizer

    return made


def _schedule(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], Any]:
    def made() -> tuple[Part, optim.Optimizer]:
        optimizer = optim.SGD([Parameter(1.0)], lr=0.1, momentum=0.9)
        return kind(optimizer, *arguments, **options), optimizer

    return made


def _sequential(optimizer: optim.Optimizer) -> schedules.SequentialLR:
    parts = [schedules.ConstantLR(optimizer), schedules.ExponentialLR(optimizer, 0.9)]
    return schedules.SequentialLR(optimizer, parts, [2])


def _chained(optimizer: optim.Optimizer) -> schedules.ChainedScheduler:
    parts = [schedules.StepLR(optimizer, 2), schedules.ExponentialLR(optimizer, 0.9)]
    return schedules.ChainedScheduler(parts)


PARTS: dict[str, Callable[[], tuple[Part, optim.Optimizer]]] = {
    "SGD": _optimizer(optim.SGD, momentum=0.9, nesterov=True),
    "Adagrad": _optimizer(optim.Adagrad, lr_decay=0.1),
    "Adam": _optimizer(optim.Adam, amsgrad=True),
    "AdamW": _optimizer(optim.AdamW),
    "RMSprop": _optimizer(optim.RMSprop, momentum=0.5, centered=True),
    "SparseAdam": _optimizer(optim.SparseAdam),
    "ConstantLR": _schedule(schedules.ConstantLR),
    "CosineAnnealingLR": _schedule(schedules.CosineAnnealingLR, 5),
    "CosineAnnealingWarmRestarts": _schedule(schedules.CosineAnnealingWarmRestarts, 3, 2),
    "ExponentialLR": _schedule(schedules.ExponentialLR, 0.9),
    "LambdaLR": _schedule(schedules.LambdaLR, lambda epoch: math.exp(-epoch)),
    "LinearLR": _schedule(schedules.LinearLR),
    "MultiStepLR": _schedule(schedules.MultiStepLR, [2, 4]),
    "OneCycleLR": _schedule(schedules.OneCycleLR, 0.5, total_steps=9),
    "PolynomialLR": _schedule(schedules.PolynomialLR, 5),
    "ReduceLROnPlateau": _schedule(schedules.ReduceLROnPlateau, patience=0),
    "StepLR": _schedule(schedules.StepLR, 2),
    "SequentialLR": _schedule(_sequential),
    "ChainedScheduler": _schedule(_chained),
}


def step(part: Part, optimizer: optim.Optimizer) -> None:
    """Take a step of the optimizer with gradients of a half, and one of the scheduler."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = 0.5
    optimizer.step()
    if isinstance(part, schedules.ReduceLROnPlateau):
        part.step(1.0)
    elif part is not optimizer:
        part.step()


def loads(made: Callable[[], tuple[Part, optim.Optimizer]], state: Any) -> bool:
    """Return True if a state is loaded and usable; otherwise check that nothing changed."""
    part, optimizer = made()
    before = repr((part.state_dict(), optimizer.state_dict()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            part.load_state_dict(state)
        except ScalargradError:
            assert repr((part.state_dict(), optimizer.state_dict())) == before
            return False
        other, _ = made()
        other.load_state_dict(part.state_dict())
        assert repr(other.state_dict()) == repr(part.state_dict())
        try:
            step(part, optimizer)
            step(part, optimizer)
        except ScalargradError:
            return True  # numbers that are far too large may overflow, and say so
    numbers = [p.data for group in optimizer.param_groups for p in group["params"]]
    assert all(type(x) is float for x in numbers)
    return True


@pytest.mark.parametrize("name", PARTS)
@FEWER_EXAMPLES
@given(data=st.data())
def test_load_state_dict_of_a_damaged_state_is_refused_or_complete(
    name: str, data: st.DataObject
) -> None:
    """The state after three steps is loaded; a damaged state is refused or loaded completely."""
    part, optimizer = PARTS[name]()
    for _ in range(3):
        step(part, optimizer)
    whole = part.state_dict()
    assert loads(PARTS[name], whole)
    assert not loads(PARTS[name], {**whole, next(iter(whole)): "x"})
    loads(PARTS[name], data.draw(changed_documents(whole)))


def test_load_state_dict_is_tested_for_every_optimizer_and_scheduler() -> None:
    """PARTS lists all of them."""
    own = {name for name in optim.__all__ if name[0].isupper()} - {"Optimizer"}
    assert PARTS.keys() == own | set(schedules.__all__) - {"LRScheduler"}
