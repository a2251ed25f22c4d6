"""What is fuzzed: functions of bytes that raise only where scalargrad is wrong.

Each takes any bytes at all. An error that scalargrad raises on purpose is a right answer; any other
exception, or a number that differs from eager evaluation, is a finding.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import scalargrad as sg
from fuzz.states import state
from scalargrad import Value, nn, optim
from scalargrad.errors import NumericalError, ScalargradError
from scalargrad.export import load as load_program
from scalargrad.nn.saving import load_model
from scalargrad.train.checkpoint import load_checkpoint, save_checkpoint

Target = Callable[[bytes], None]


def expression(data: bytes) -> None:
    """Parse the text; what parses has a value and, where that is finite, a gradient."""
    text = data.decode("utf-8", errors="replace")[:400]
    try:
        root = sg.parse(text, x=-2.0, y=0.5)
        if math.isfinite(root.data):
            root.backward()
    except ScalargradError:
        return


def safetensors(data: bytes) -> None:
    """Load the bytes into a model, which is changed wholly or not at all."""
    model = nn.Linear(2, 1)
    before = [p.data for p in model.parameters()]
    try:
        load_model(model, _file(data))
    except ScalargradError:
        assert [p.data for p in model.parameters()] == before, "half a file was loaded"


def checkpoint(data: bytes) -> None:
    """Resume from the bytes as they are, and from the state in them, sealed as if it were whole."""
    resumes(data)
    if (whole := sealed(data)) is not None:
        resumes(whole)


def resumes(data: bytes) -> bool:
    """Resume from the bytes; a refused checkpoint leaves model and optimiser as they were."""
    path = _file(data)
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before = _state(model, optimizer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _fit(model, optimizer, path, resume=True)
    except NumericalError:
        return True  # numbers that are far too large may be resumed from, and overflow then
    except ScalargradError:
        assert _state(model, optimizer) == before, "a refused checkpoint was half applied"
        return False
    state = load_checkpoint(path)
    save_checkpoint(path, state)
    assert repr(load_checkpoint(path)) == repr(state), "the state changed on disk"
    return True


def sealed(data: bytes) -> bytes | None:
    """Return a checkpoint of the run that resumes, with the state and the digest of another.

    Without it every change would be refused for its digest, and nothing behind that be tried.
    """
    try:
        state = json.loads(data)["state"]
        state["dict"] = [
            _conditions() if pair[0] == "conditions" else pair for pair in state["dict"]
        ]
        digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    content = {"format": "scalargrad checkpoint 2", "sha256": digest, "state": state}
    return json.dumps(content).encode()


@cache
def _conditions() -> list[Any]:
    """Return the settings of the run that resumes, as a checkpoint of it holds them."""
    path = _FOLDER / "conditions"
    model = nn.Linear(1, 1)
    _fit(model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9), path, resume=False)
    pairs: list[list[Any]] = json.loads(path.read_text(encoding="utf-8"))["state"]["dict"]
    return next(pair for pair in pairs if pair[0] == "conditions")


def program(data: bytes) -> None:
    """Load the bytes as an exported program, and run it.

    What loads may still be refused at its first call, for being no program that could be written.
    """
    try:
        loaded = load_program(_file(data))
        numbers = [0.5 + 0.25 * k for k in range(len(loaded.inputs))]
        found = loaded(numbers)
    except ScalargradError:
        return
    assert len(found) == len(loaded.outputs), "as many numbers as names"


def compiled(data: bytes) -> None:
    """Run the program that the bytes spell eagerly and compiled, with its gradient."""
    numbers = [0.7, -1.3, 2.1]
    try:
        expected = sg.value_and_grad(lambda xs: _run(data, xs))(numbers)
    except ScalargradError as error:
        expected = type(error).__name__
    try:
        found: Any = sg.jit(sg.value_and_grad(lambda xs: _run(data, xs)))(numbers)
    except sg.TraceError:
        return
    except ScalargradError as error:
        found = type(error).__name__
    if _alike(found, expected):
        return
    told = f"compiled {found}, eagerly {expected}"
    assert not isinstance(found, str), told
    assert not isinstance(expected, str), told
    allowed = _moved_by_rounding(data, numbers, expected)
    for x, y, most in zip(_flat(found), _flat(expected), allowed, strict=True):
        assert abs(x - y) <= 100 * most, told


def _moved_by_rounding(data: bytes, numbers: list[float], expected: Any) -> list[float]:
    """Return how far value and slopes move if an argument does by a few units in its last place."""
    moved = [0.0] * (1 + len(numbers))
    for k, step in itertools.product(range(len(numbers)), (-4, -1, 1, 4)):
        near = [x * (1 + step * 2**-52) if i == k else x for i, x in enumerate(numbers)]
        found = sg.value_and_grad(lambda xs: _run(data, xs))(near)
        far = [abs(x - y) for x, y in zip(_flat(found), _flat(expected), strict=True)]
        moved = [*map(max, moved, far)]
    return moved


def _flat(found: Any) -> list[float]:
    """Return value and slopes in a row."""
    return [found[0], *found[1]]


def _run(code: bytes, xs: list[Any]) -> Any:
    """Run the code on a stack: each byte is an operation, a branch or a number."""
    stack = list(xs)
    for byte in code[:48]:
        op, a, b = byte % 16, stack[-1 - byte // 16 % len(stack)], stack[-1]
        if op < len(_BINARY):
            stack.append(_BINARY[op](a, b))
        elif op < len(_BINARY) + len(_UNARY):
            stack.append(_UNARY[op - len(_BINARY)](a))
        elif op == 14:
            stack.append(a if b > 0.25 else -b)
        else:
            stack.append(a * (byte / 64.0))
    total = stack[-1] + sg.tanh(stack[len(stack) // 2])
    return total if isinstance(total, Value) else Value(total)


_BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (1.0 + b * b),
    sg.maximum,
    lambda a, b: sg.where(a > b, a * 2.0, b),
]
_UNARY: list[Callable[[Any], Any]] = [
    sg.tanh,
    sg.sin,
    lambda a: sg.exp(-(a * a)),
    lambda a: sg.log(1.0 + a * a),
    sg.relu,
    sg.sigmoid,
    sg.abs,
    lambda a: -a,
]


def _alike(found: Any, expected: Any) -> bool:
    if isinstance(found, str) or isinstance(expected, str):
        return bool(found == expected)
    pairs = zip(_flat(found), _flat(expected), strict=True)
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (a != a and b != b) for a, b in pairs
    )


def _fit(model: nn.Linear, optimizer: optim.Optimizer, path: Path, resume: bool) -> None:
    sg.train.fit(
        model,
        [[0.0], [1.0]],
        [[1.0], [3.0]],
        loss=sg.losses.mse_loss,
        jit=False,
        optimizer=optimizer,
        epochs=3,
        checkpoint=path,
        resume=resume,
        quiet=True,
    )


def _state(model: nn.Linear, optimizer: optim.Optimizer) -> str:
    return repr((model.state_dict(), optimizer.state_dict()))


def _file(data: bytes) -> Path:
    """Write the bytes where one process keeps its only file."""
    path = _FOLDER / "fuzzed"
    path.write_bytes(data)
    return path


_KEPT = tempfile.TemporaryDirectory(prefix="scalargrad-fuzz-")
_FOLDER = Path(_KEPT.name)

TARGETS: dict[str, Target] = {
    "expression": expression,
    "safetensors": safetensors,
    "checkpoint": checkpoint,
    "program": program,
    "compiled": compiled,
    "state": state,
}
