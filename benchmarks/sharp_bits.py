"""Sharp bits: what JAX, torch.compile and Numba do in the cases of docs/explained/sharp-bits.md.

Each claim of that page about a peer stands here word for word, beside code that runs the case:

    python -m pip install numba
    python -m benchmarks.sharp_bits

Peers that are not installed are left out. The exit status is 1 where a claim does not hold.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: What the page says of each peer, section by section.
CLAIMS: dict[str, dict[str, str]] = {
    "What is closed over": {
        "JAX": "everything closed over is constant from the first call on",
        "torch.compile": "guards on what was read; a change leads to another compilation",
        "Numba": "numbers and arrays are constants, lists and dicts are refused",
    },
    "Comparisons": {
        "JAX": "TracerBoolConversionError; use `lax.cond` or `jnp.where`",
        "torch.compile": "a graph break, so Python decides",
        "Numba": "compiled as a branch",
    },
    "Reading numbers": {
        "JAX": "ConcretizationTypeError for `float` and `math.sin`; `print` shows a tracer, once",
        "torch.compile": "a graph break; `print` prints at each call",
        "Numba": "compiled",
    },
    "Changing things": {
        "JAX": "a list that is an argument is a copy; one that is closed over changes once",
        "torch.compile": "both change at each call",
        "Numba": "an argument changes at each call; a list that is closed over is refused",
    },
    "Random numbers": {
        "JAX": "keys are passed; what Python's generators draw is frozen",
        "torch.compile": "`random.random()` draws anew, a `random.Random` is frozen",
        "Numba": "a generator of its own, apart from Python's; a `random.Random` is refused",
    },
    "Time, files, the environment": {
        "JAX": "read once, as here",
        "torch.compile": "a graph break, so read at each call",
        "Numba": "refused",
    },
    "Domains and infinities": {
        "JAX": "inf or nan",
        "torch.compile": "inf or nan",
        "Numba": "ZeroDivisionError for `/`, nan elsewhere",
    },
    "The class of a number": {
        "JAX": "a tracer, with the same effect",
        "torch.compile": "what was passed, a tensor or a float",
        "Numba": "known when the types are compiled",
    },
    "Lookups": {
        "JAX": "TracerIntegerConversionError for a list; an array's index is clamped",
        "torch.compile": "lists and tensors, with an IndexError out of range",
        "Numba": "compiled: lists are checked, arrays are not",
    },
    "Digits": {
        "JAX": "sums are reordered as well, and numbers are float32 unless asked",
        "torch.compile": "sums are reordered as well, and numbers are float32 unless asked",
        "Numba": "as written, unless `fastmath`",
    },
}


#: What is added up.
TENTHS = [0.1] * 1000


def one_by_one(kind: Callable[[float], Any]) -> float:
    """Return the sum of the tenths, added in order."""
    total = kind(0.0)
    for x in TENTHS:
        total += kind(x)
    return float(total)


def noted(log: list[int]) -> list[int]:
    """Add to a list, and return it."""
    log.append(1)
    return log


def error_of(f: Callable[[], Any]) -> str:
    """Return the name of the error that a call raises, or of the class of its result."""
    try:
        return type(f()).__name__
    except Exception as error:  # noqa: BLE001 - peers raise what they like
        return type(error).__name__


def is_positive(x: Any) -> Any:
    """Return x or its negative, by an ordinary condition."""
    return x if x > 0 else -x


def seen_by_jax() -> Iterator[tuple[str, bool]]:
    """Run each case with jax.jit."""
    import jax
    import jax.numpy as jnp

    weights, draws = [2.0], random.Random(0)
    f = jax.jit(lambda x: x * weights[0])
    f(1.0)
    weights[0] = 10.0
    yield "What is closed over", f(1.0) == 2.0
    yield "Comparisons", error_of(lambda: jax.jit(is_positive)(1.0)) == "TracerBoolConversionError"
    reading = error_of(lambda: jax.jit(lambda x: x * float(x))(2.0)) == "ConcretizationTypeError"
    shown = printed(jax.jit(lambda x: [print(x), x][1]), 1.0)
    yield "Reading numbers", reading and shown.count("Tracer") == 1

    def zero_first(xs: Any) -> Any:
        xs[0] = 0.0
        return xs[1]

    given, log = [1.0, 2.0], list[int]()
    jax.jit(zero_first)(given)
    noting = jax.jit(lambda x: x * len(noted(log)))
    noting(1.0), noting(2.0)
    yield "Changing things", given == [1.0, 2.0] and log == [1]
    noisy = jax.jit(lambda x: x + draws.random())
    yield "Random numbers", noisy(0.0) == noisy(0.0)
    yield "Time, files, the environment", not any(changing(jax.jit, float))
    infinite = jax.jit(lambda x: 1 / x)(0.0) == float("inf")
    yield "Domains and infinities", bool(infinite and jnp.isnan(jax.jit(jnp.log)(-1.0)))
    yield "The class of a number", not jax.jit(lambda x: isinstance(x, float))(1.0)
    table, array = [10.0, 20.0, 30.0], jnp.array([10.0, 20.0, 30.0])
    refused = error_of(lambda: jax.jit(lambda i: table[i])(1)) == "TracerIntegerConversionError"
    yield "Lookups", bool(refused and jax.jit(lambda i: array[i])(7) == 30.0)
    total = jax.jit(jnp.sum)(jnp.array(TENTHS))
    yield "Digits", total.dtype == "float32" and float(total) != one_by_one(np.float32)


def seen_by_torch() -> Iterator[tuple[str, bool]]:
    """Run each case with torch.compile, whose backend only runs what was captured."""
    import torch

    def compiled(f: Callable[..., Any], **options: Any) -> Any:
        torch._dynamo.reset()  # noqa: SLF001 - PyTorch has no other name for it
        return torch.compile(f, backend="eager", **options)

    one, weights = torch.tensor(1.0), [2.0]
    f = compiled(lambda x: x * weights[0])
    f(one)
    weights[0] = 10.0
    yield "What is closed over", bool(f(one) == 10.0)
    whole = error_of(lambda: compiled(is_positive, fullgraph=True)(one))
    yield "Comparisons", whole == "Unsupported" and bool(compiled(is_positive)(-one) == 1.0)
    doubled = compiled(lambda x: x * float(x))
    shown = printed(compiled(lambda x: [print(x.item()), x][1]), one)
    yield "Reading numbers", bool(doubled(3 * one) == 9.0) and shown.split() == ["1.0", "1.0"]

    def zero_first(xs: Any) -> Any:
        xs[0] = xs[0] * 0.0
        return xs[1] * 1.0

    zeroing, log = compiled(zero_first), list[int]()
    zeroing([one, one])
    again = [one, one]
    zeroing(again)

    def noting(x: Any) -> Any:
        log.append(1)
        return x * 1.0

    note = compiled(noting)
    note(one), note(one)
    yield "Changing things", bool(again[0] == 0.0) and log == [1, 1]
    draws = random.Random(0)
    plain, own = compiled(lambda x: x + random.random()), compiled(lambda x: x + draws.random())
    yield "Random numbers", bool(plain(one) != plain(one)) and bool(own(one) == own(one))
    yield "Time, files, the environment", all(changing(compiled, torch.tensor))
    infinite = bool(compiled(lambda x: 1 / x)(0 * one) == float("inf"))
    yield "Domains and infinities", infinite and bool(torch.isnan(compiled(torch.log)(-one)))
    kinds = compiled(lambda x: isinstance(x, torch.Tensor))(one)
    yield "The class of a number", kinds and compiled(lambda x: isinstance(x, float))(1.0)
    table, tensor = [10.0, 20.0, 30.0], torch.tensor([10.0, 20.0, 30.0])
    looked = compiled(lambda i: table[i])(torch.tensor(2)) == 30.0
    beyond = error_of(lambda: compiled(lambda i: tensor[i])(torch.tensor(7)))
    yield "Lookups", looked and beyond == "IndexError"
    total = compiled(torch.sum)(torch.tensor(TENTHS))
    yield "Digits", total.dtype == torch.float32 and float(total) != one_by_one(np.float32)


def seen_by_numba() -> Iterator[tuple[str, bool]]:
    """Run each case with numba.njit."""
    import numba  # type: ignore[import-not-found]

    def refused(f: Callable[..., Any], *args: Any) -> bool:
        return "Error" in error_of(lambda: numba.njit(f)(*args))

    weights: Any = [2.0]
    rate, array = 2.0, np.array([2.0])
    scaled, weighted = numba.njit(lambda x: x * rate), numba.njit(lambda x: x * array[0])
    scaled(1.0), weighted(1.0)
    rate = array[0] = 10.0
    kept = scaled(1.0) == 2.0 and weighted(1.0) == 2.0
    settings = {"rate": 2.0}
    yield (
        "What is closed over",
        kept
        and refused(lambda x: x * weights[0], 1.0)
        and refused(lambda x: x * settings["rate"], 1.0),
    )
    yield "Comparisons", numba.njit(is_positive)(-2.0) == 2.0
    yield "Reading numbers", numba.njit(lambda x: x * float(x))(3.0) == 9.0

    def zero_first(xs: Any) -> Any:
        xs[0] = 0.0
        return xs[1]

    zeroing, given = numba.njit(zero_first), [1.0, 2.0]
    zeroing([1.0, 2.0]), zeroing(given)
    yield "Changing things", given[0] == 0.0 and refused(lambda x: weights.append(x) or x, 1.0)
    draws, plain = random.Random(0), numba.njit(lambda: 1.0 * random.random())
    random.seed(0)
    first = plain()
    random.seed(0)
    yield "Random numbers", first != plain() and refused(lambda x: x + draws.random(), 1.0)
    yield "Time, files, the environment", refused(lambda x: x + time.time(), 1.0)
    divided = error_of(lambda: numba.njit(lambda x: 1.0 / x)(0.0)) == "ZeroDivisionError"
    yield (
        "Domains and infinities",
        divided and bool(np.isnan(numba.njit(lambda x: np.log(-x))(1.0))),
    )
    yield "The class of a number", numba.njit(lambda x: isinstance(x, float))(1.0)
    table = numba.njit(lambda xs, i: xs[i])
    listed = error_of(lambda: table([1.0, 2.0], 7)) == "IndexError"
    yield "Lookups", listed and error_of(lambda: table(array, 7)) == "float"
    total = numba.njit(lambda xs: 0.0 + sum(xs))(np.array(TENTHS))
    yield "Digits", total == one_by_one(np.float64)


def printed(f: Callable[[Any], Any], x: Any) -> str:
    """Return what two calls print."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        f(x)
        f(x)
    return out.getvalue()


def changing(compiled: Callable[..., Any], number: Callable[[float], Any]) -> list[bool]:
    """Return whether the time, the environment and a file are read at each call."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rate"

        def write(text: str) -> None:
            os.environ["SHARP_BITS"] = text
            path.write_text(text)

        functions = [
            compiled(lambda x: x * 0 + time.perf_counter() % 1000.0),
            compiled(lambda x: x * float(os.environ["SHARP_BITS"])),
            compiled(lambda x: x * float(path.read_text())),
        ]
        write("2.0")
        before = [float(f(number(1.0))) for f in functions]
        write("10.0")
        time.sleep(0.1)
        return [float(f(number(1.0))) != x for f, x in zip(functions, before, strict=True)]


PEERS = {
    "JAX": ("jax", seen_by_jax),
    "torch.compile": ("torch", seen_by_torch),
    "Numba": ("numba", seen_by_numba),
}


def main() -> int:
    """Run every case with every peer there is, and print which claims hold."""
    wrong = 0
    for peer, (package, seen) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{peer}: not installed")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for section, holds in seen():
                print(f"{peer}, {section}: {'holds' if holds else 'DOES NOT HOLD'}")
                wrong += not holds
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
