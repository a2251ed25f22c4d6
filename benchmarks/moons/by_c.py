"""C by hand: struct of arrays, one function for forward, backward and update."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.moons.problem import Problem, Step

OPTIONS = ("-O3", "-march=native", "-ffast-math", "-fPIC")
FORWARD = {
    "relu": "((s) > 0.0 ? (s) : 0.0)",
    "tanh": "tanh(s)",
    "sigmoid": "(1.0 / (1.0 + exp(-(s))))",
}
SLOPE = {
    "relu": "((y) > 0.0 ? 1.0 : 0.0)",
    "tanh": "(1.0 - (y) * (y))",
    "sigmoid": "((y) * (1.0 - (y)))",
}


def compiler() -> str:
    """Return the C compiler; FileNotFoundError where there is none."""
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None:
        raise FileNotFoundError("no C compiler: install gcc to compare with C")
    return found


def compiled(
    source: Path, folder: str, options: Sequence[str] = (), libraries: Sequence[str] = ("-lm",)
) -> str:
    """Compile a file for this machine, and return the library in a folder."""
    part, library = Path(folder) / f"{source.stem}.o", Path(folder) / f"{source.stem}.so"
    subprocess.run([compiler(), *OPTIONS, *options, "-c", source, "-o", part], check=True)
    # Linked without -ffast-math, which would have the whole process flush subnormals to zero.
    subprocess.run([compiler(), "-shared", part, "-o", library, *libraries], check=True)
    return str(library)


def by_hand(problem: Problem) -> Step:
    """Return the step, compiled for this machine."""
    macros = [
        f"-DN={len(problem.points)}",
        f"-DACTIVATE(s)={FORWARD[problem.activation]}",
        f"-DSLOPE(y)={SLOPE[problem.activation]}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(__file__).with_name("by_hand.c"), folder, macros)
        function = ctypes.CDLL(library).step
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_double]
    arrays = (
        np.array(problem.parameters),
        np.array(problem.points).T.copy(),
        np.array(problem.labels),
    )
    addresses = [a.ctypes.data for a in arrays]

    def run(_kept: object = arrays) -> float:
        return float(function(*addresses, problem.rate))

    return run
