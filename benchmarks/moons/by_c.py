"""C by hand: struct of arrays, one function for forward, backward and update."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.moons.problem import Problem, Step

OPTIONS = ("-O3", "-march=native", "-ffast-math", "-fPIC")


def c_step(problem: Problem) -> Step:
    """Return the step, compiled for this machine; FileNotFoundError if no compiler is found."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("no C compiler: install gcc to compare with C")
    macros = [f"-DN={len(problem.points)}", f"-D{problem.activation.upper()}"]
    with tempfile.TemporaryDirectory() as folder:
        source, part = Path(__file__).with_name("by_hand.c"), f"{folder}/by_hand.o"
        library = f"{folder}/by_hand.so"
        subprocess.run([compiler, *OPTIONS, *macros, "-c", source, "-o", part], check=True)
        # Linked without -ffast-math, which would have the whole process flush subnormals to zero.
        subprocess.run([compiler, "-shared", part, "-o", library, "-lm"], check=True)
        function = ctypes.CDLL(library).step
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_double]
    columns = list(zip(*problem.points, strict=True))
    arrays = [np.array(x) for x in (problem.parameters, columns, problem.labels)]
    addresses = [a.ctypes.data for a in arrays]

    def run(_references: object = arrays) -> float:
        return float(function(*addresses, problem.rate))

    return run
