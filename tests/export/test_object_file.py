"""Object code and shared libraries; that they compute the same as C is tested with it."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import MissingPackageError, OperandError, TraceError, Value, jit
from scalargrad.export import object_file


def f(x: Any, y: Any) -> Any:
    """Return something of two numbers."""
    return sg.tanh(x) * y + sg.hypot(x, y)


def test_a_shared_library_is_loaded_as_it_is(tmp_path: Path) -> None:
    """Its function reads and writes what the header says."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("a shared library is linked by a C compiler, which is not installed here")
    library, header = jit(f).export(tmp_path / "shared.so", Value(1.0), Value(2.0))
    given, found = (ctypes.c_double * 2)(0.5, -3.0), (ctypes.c_double * 3)()
    ctypes.CDLL(str(library)).shared(given, found)
    x, y = Value(0.5), Value(-3.0)
    root = f(x, y)
    root.backward()
    assert list(found) == pytest.approx([root.data, x.grad, y.grad], rel=1e-14)
    text = header.read_text()
    assert "#define SHARED_OUTPUTS 3" in text
    assert "bytes of static memory" in text
    assert "The code is for " in text


def test_without_a_linker_an_object_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says so; the object file needs none."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(OperandError, match=r"install gcc, or write a \.o file"):
        jit(f).export(tmp_path / "f.so", 1.0, 2.0)
    assert [x.name for x in jit(f).export(tmp_path / "f.o", 1.0, 2.0)] == ["f.o", "f.h"]


def test_without_llvm_there_is_no_object_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the command to type."""
    monkeypatch.setattr(object_file, "has_llvm", lambda: False)
    with pytest.raises(MissingPackageError, match="object code needs llvmlite: python -m pip"):
        jit(f).export(tmp_path / "f.o", 1.0, 2.0)


def test_custom_operations_are_refused(tmp_path: Path) -> None:
    """Machine code cannot call Python."""

    @sg.custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    with pytest.raises(TraceError, match="cannot be written as machine code"):
        jit(mine).export(tmp_path / "f.o", 1.0)
