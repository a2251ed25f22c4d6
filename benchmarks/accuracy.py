"""The accuracy of operations and their derivatives, compared with PyTorch and JAX.

    python -m benchmarks.accuracy  [--write docs/explained/accuracy.md] [--only tanh,pow]

SymPy differentiates the formula, mpmath evaluates it. An error is counted in units in the last
place of the exact result. All libraries compute in float64; of scalargrad, the worse of the eager
and the compiled result counts. For two operands, derivatives are taken by each.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
import sympy
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from mpmath import mp

import scalargrad as sg
from benchmarks.reporting import as_markdown, replace_section
from scalargrad.ops import TABLE

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)

#: The formula of each operation, in SymPy's functions.
FORMULAS = {
    **{name: f"{name}(x)" for name in ("exp", "log", "sqrt", "cbrt", "erf", "erfc", "erfinv")},
    **{name: f"{name}(x)" for name in ("sin", "cos", "tan", "asin", "acos", "atan", "digamma")},
    **{name: f"{name}(x)" for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")},
    "exp2": "2**x",
    "expm1": "exp(x) - 1",
    "log1p": "log(1 + x)",
    "log2": "log(x)/log(2)",
    "log10": "log(x)/log(10)",
    "reciprocal": "1/x",
    "sigmoid": "1/(1 + exp(-x))",
    "softplus": "log(1 + exp(x))",
    "logsigmoid": "-log(1 + exp(-x))",
    "silu": "x/(1 + exp(-x))",
    "gelu": "x*erfc(-x/sqrt(2))/2",
    "gelu_tanh": f"x/(1 + exp(-2*sqrt(2/pi)*(x + {sympy.Rational(0.044715)}*x**3)))",
    "ndtr": "erfc(-x/sqrt(2))/2",
    "log_ndtr": "log(erfc(-x/sqrt(2))/2)",
    "lgamma": "loggamma(x)",
    "div": "x/y",
    "pow": "x**y",
    "hypot": "sqrt(x**2 + y**2)",
    "atan2": "atan2(x, y)",
    "logaddexp": "log(exp(x) + exp(y))",
    "log_loss": "-y*log(x) - (1 - y)*log(1 - x)",
    "betaln": "loggamma(x) + loggamma(y) - loggamma(x + y)",
}
#: The smallest and largest size of operands, as powers of ten, where the range is limited.
SIZES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("div", "hypot", "atan2"), (-90, 90)),
    **dict.fromkeys(("erf", "erfc", "ndtr", "gelu"), (-300, 2.5)),
    "pow": (-11, 1),
    "logaddexp": (-9, 2.8),
    "betaln": (-5, 8),
    "log_ndtr": (-300, 1.5),
    "log_loss": (-11, 0),
}
#: e^-745 differs from 0 only with many digits; some functions that need few are slow with so many.
DIGITS = dict.fromkeys(FORMULAS, 700) | dict.fromkeys(("lgamma", "digamma", "betaln"), 100)
DIGITS["erfinv"] = 400
#: With an error of this many units, no digit is correct.
NONE = 2.0**52
POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def eager(f: Any) -> Any:
    """Return a function of columns that calls a function of numbers."""
    return lambda *columns: [f(*x) for x in zip(*columns, strict=True)]


def in_pytorch(f: Any) -> Any:
    """Return a function of columns, vectorised by PyTorch."""
    return lambda *columns: torch.func.vmap(f)(*map(torch.tensor, columns)).tolist()


def in_jax(f: Any) -> Any:
    """Return a function of columns, vectorised and compiled by JAX."""
    return lambda *columns: jax.jit(jax.vmap(f))(*map(np.array, columns)).tolist()


# A name is looked up in the last module first.
PYTORCH = vars(F) | vars(torch.special) | vars(torch)
JAX = vars(jax.lax) | vars(jax.scipy.special) | vars(jax.nn) | vars(jax.numpy)
PYTORCH["gelu_tanh"] = partial(F.gelu, approximate="tanh")
JAX["gelu"] = partial(jax.nn.gelu, approximate=False)
JAX |= {"gelu_tanh": jax.nn.gelu, "logsigmoid": jax.nn.log_sigmoid}
#: The functions, the derivative and the modes of evaluation of each library.
LIBRARIES: dict[str, Any] = {
    "scalargrad": (TABLE, sg.grad, (eager, lambda f: sg.jit(sg.vmap(f)))),
    "PyTorch": (PYTORCH, torch.func.grad, (in_pytorch,)),
    "JAX": (JAX, jax.grad, (in_jax,)),
}


SYMBOLS = sympy.symbols("x y", real=True)


def arity(name: str) -> int:
    """Return the number of operands."""
    return 2 if "y" in FORMULAS[name] else 1


def points(name: str) -> Iterator[list[float]]:
    """Draw operands of every size and sign, many near 1 and near the limits of exponentials."""
    rng = random.Random(5)
    low, high = SIZES.get(name, (-300, 300))
    spans = [(low, high), (max(low, -8), min(high, 2)), (max(low, -2), min(high, 2.9))]
    for k in range(450):
        sizes = [10.0 ** rng.uniform(*spans[k % 3]) for _ in range(arity(name))]
        yield [rng.choice((-1.0, 1.0)) * x for x in sizes]
        if k % 9 == 0 and len(sizes) == 1:
            yield [1.0 - rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-15, -3)]


def exact_derivatives(name: str, place: int, order: int) -> tuple[list[Any], Sequence[Any]]:
    """Return columns of operands, and the exact derivatives there by one of them.

    Operands where the operation is undefined or overflows are left out, as are derivatives below
    1e-300.
    """
    valid, given = TABLE[name].domain.valid or (lambda *_: True), SYMBOLS[: arity(name)]
    value = sympy.sympify(FORMULAS[name], {x.name: x for x in given})
    exact = sympy.lambdify(given, [value, value.diff(given[place], order)], "mpmath", cse=True)
    rows = []
    for x in filter(lambda x: valid(*x), points(name)):
        y, found = exact(*map(mp.mpf, x))
        is_finite = not isinstance(y, mp.mpc) and math.isfinite(float(y) + float(found))
        if is_finite and (found == 0 or abs(found) > 1e-300):
            rows.append((x, found))
    xs, expected = zip(*rows, strict=True)
    return [[*column] for column in zip(*xs, strict=True)], expected


def errors(name: str) -> list[list[float]]:
    """Return each library's largest errors of the value, the first and the second derivative.

    They are in units in the last place; -1 if a library does not have the operation.
    """
    worst = [[-1.0] * 3 for _ in LIBRARIES]
    with mp.workdps(DIGITS[name]):
        for place, order in product(range(arity(name)), range(3)):
            columns, expected = exact_derivatives(name, place, order)
            for row, (functions, grad, modes) in zip(worst, LIBRARIES.values(), strict=True):
                f = functions.get(name)
                for _ in range(order if f else 0):
                    f = grad(f, place)
                for mode in modes if f else ():
                    for x, y in zip(mode(f)(*columns), expected, strict=True):
                        error = float(abs(mp.mpf(x) - y) / math.ulp(float(y)))
                        row[order] = max(row[order], error if math.isfinite(error) else NONE)
    return worst


def format_error(error: float) -> str:
    """Return an error as text with two digits."""
    if error >= NONE:
        return "none"
    if error < 1e4:
        return f"{error:.1f}" if error < 9.95 else f"{error:,.0f}"
    digit, _, power = f"{error:.0e}".partition("e+")
    return f"{digit} · 10{str(int(power)).translate(POWERS)}"


def main() -> None:
    """Print the table and, with ``--write``, put it into its section of a file."""
    parser = argparse.ArgumentParser(description="Measure how exact operations are.")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also put the table into this file"
    )
    parser.add_argument("--only", metavar="NAMES", help="only these operations")
    options = parser.parse_args()
    rows = []
    for name in options.only.split(",") if options.only else FORMULAS:
        cells = [", ".join(map(format_error, row)) if row[0] >= 0 else "" for row in errors(name)]
        rows.append([name, *cells])
        print(" | ".join(rows[-1]), flush=True)
    if options.write is not None:
        versions = ", ".join(f"{x} {version(x)}" for x in ("torch", "jax", "numpy"))
        table = as_markdown(["operation", *LIBRARIES], rows, versions)
        replace_section(options.write, "accuracy", table)


if __name__ == "__main__":
    main()
