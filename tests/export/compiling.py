"""Compile C with strict warnings, link object code, and call both."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def build_functions(sources: Sequence[Path]) -> dict[str, Callable[[Sequence[float]], list[float]]]:
    """Build a library from C or object files, and return its functions by name."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("exported C is compiled by gcc, which is not installed here")
    library = sources[0].with_suffix(".so")
    command = [compiler, *STRICT, "-O0", "-shared", "-fPIC", *map(str, sources), "-lm"]
    done = subprocess.run(
        [*command, "-o", str(library)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    return {x.stem: _function(loaded, x.stem, x.with_suffix(".h")) for x in sources}


def _function(
    library: ctypes.CDLL, name: str, header: Path
) -> Callable[[Sequence[float]], list[float]]:
    inputs, outputs = map(int, re.findall(r"#define \w+_(?:IN|OUT)PUTS (\d+)", header.read_text()))

    def call(numbers: Sequence[float]) -> list[float]:
        given = (ctypes.c_double * inputs)(*numbers)
        found = (ctypes.c_double * outputs)(*[-1e300] * outputs)
        getattr(library, name)(given, found)
        return list(found)

    return call
