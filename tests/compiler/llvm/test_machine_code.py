"""Machine code is compiled once, kept, and found again; where it cannot be, it is no obstacle."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import llvmlite.binding as llvm
import pytest
from tests.patience import PATIENCE

from scalargrad.compiler import disk_cache
from scalargrad.compiler.backend.llvm import machine_code, target
from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.machine_code import compile_module
from scalargrad.compiler.backend.llvm.operations import LIBRARY, apply, can_write
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

KIND = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep machine code in a folder of its own."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(disk_cache, "said", set())
    return tmp_path / "scalargrad" / "code"


def times(factor: float) -> IRModule:
    """Return a module with a function that multiplies."""
    module = IRModule()
    body = module.function("run", "double %x", "double")
    body.line(f"ret double {Emitter(body).mul('%x', factor)}")
    return module


def result(module: IRModule) -> float:
    """Return what its function makes of 3."""
    return float(compile_module(module).function("run", KIND)(3.0))


def test_a_function_keeps_its_code() -> None:
    """Freed while another thread runs it, it would end the process."""
    run = compile_module(times(7.0)).function("run", KIND)
    code = weakref.ref(run.code)
    gc.collect()
    assert code() is not None
    assert run(3.0) == 21.0
    del run
    gc.collect()
    assert code() is None


def test_code_is_kept_and_found_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process loads what the first compiled."""
    assert result(times(2.0)) == 6.0
    (file,) = folder.iterdir()
    monkeypatch.setattr(machine_code, "compiled", lambda *_: pytest.fail("compiled again"))
    assert result(times(2.0)) == 6.0
    assert list(folder.iterdir()) == [file]


def test_another_text_is_other_code(folder: Path) -> None:
    """What is kept is found by the text it was compiled from."""
    assert (result(times(2.0)), result(times(5.0))) == (6.0, 15.0)
    assert len(list(folder.iterdir())) == 2


def test_functions_set_apart_are_linked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts call a third function; each part is a file, and is found again."""

    def written() -> IRModule:
        module = IRModule()
        for name, called, factor in (
            ("twice", "", 2.0),
            ("six", "twice", 3.0),
            ("run", "six", 5.0),
        ):
            linkage = "" if name == "run" else "internal"
            body = module.function(name, "double %x", "double", linkage)
            e = Emitter(body)
            x = e.call(called, "%x") if called else "%x"
            if name == "run":
                x = e.call("twice", x)
            body.line(f"ret double {e.mul(x, factor)}")
        module.set_apart("six")
        return module

    assert result(written()) == 180.0
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(machine_code, "compiled", lambda *_: pytest.fail("compiled again"))
    assert result(written()) == 180.0


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_code_is_compiled_again(folder: Path, damage: bytes | None) -> None:
    """A file cut short is never run."""
    result(times(2.0))
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if damage is None else damage)
    assert result(times(2.0)) == 6.0
    assert len(file.read_bytes()) == len(whole)


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Code is then compiled for this process alone, with one word of it."""
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in its place")
    assert (result(times(2.0)), result(times(5.0))) == (6.0, 15.0)
    assert caplog.text.count("cannot be kept") == 1


def test_files_used_longest_ago_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much is kept and no more."""
    monkeypatch.setattr(disk_cache, "MOST", 350)
    monkeypatch.setattr(disk_cache, "SELDOM", 1)
    for age, name in ((30, "0a"), (20, "0b"), (10, "0c")):
        disk_cache.write(name, b"x" * 68)
        os.utime(folder / name, (1000.0 - age, 1000.0 - age))
    assert disk_cache.read("0a") is not None  # and so it was used just now
    disk_cache.write("0d", b"x" * 68)
    assert sorted(x.name for x in folder.iterdir()) == ["0a", "0c", "0d"]


def test_a_file_that_another_process_removes_is_no_obstacle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes may look for old files at once; a link to no file stands for one removed."""
    monkeypatch.setattr(disk_cache, "SELDOM", 1)
    folder.mkdir(parents=True)
    (folder / "gone").symlink_to(folder / "nowhere")
    disk_cache.write("0a", b"code")
    assert disk_cache.read("0a") == b"code"
    assert not caplog.text


def test_a_function_the_c_library_lacks_is_named() -> None:
    """LLVM would link it to address 0."""
    module = IRModule()
    body = module.function("run", "double %x", "double")
    module.declare("no_such_function", "double", ["double"])
    body.line(f"ret double {Emitter(body).call('no_such_function', '%x')}")
    with pytest.raises(OSError, match="no no_such_function"):
        compile_module(module)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_a_compilation() -> None:
    """A child process never inherits a lock that nobody is left to release."""
    script = (
        "import os, sys, threading, warnings; warnings.simplefilter('ignore')\n"
        "from scalargrad.compiler.backend.llvm import machine_code\n"
        "inside, go = threading.Event(), threading.Event()\n"
        "def held():\n"
        "    with machine_code.lock:\n"
        "        inside.set(); go.wait(0.2)\n"
        "thread = threading.Thread(target=held); thread.start(); inside.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if machine_code.lock.acquire(timeout=60) else 1)\n"
        "thread.join(); sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=PATIENCE)
    assert done.returncode == 0


def test_several_threads_compile_at_once() -> None:
    """Each gets its own code."""
    found: dict[float, float] = {}

    def work(factor: float) -> None:
        found[factor] = result(times(factor))

    threads = [threading.Thread(target=work, args=(1.5 + k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1.5 + k: 3.0 * (1.5 + k) for k in range(6)}


#: What code may call besides the C library's functions of mathematics.
ALLOWED = LIBRARY | {"sin", "cos", "fma", "fmod", "floor", "ceil", "rint", "memset", "memcpy"}
PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "arm64-apple-darwin",
    "x86_64-pc-windows-msvc",
]


def everything() -> IRModule:
    """Return a module with every operation of the table, on eight lanes and alone."""
    module = IRModule()
    for name, op in TABLE.items():
        if isinstance(op, Elementwise):
            assert can_write(op)
            for width in (1, 8):
                given = ", ".join(f"ptr %x{i}" for i in range(op.arity))
                body = module.function(f"table.{name}.{width}", f"ptr %out, {given}")
                e = Emitter(body, width, inline=False)
                e.store(apply(e, op, *(e.load(f"%x{i}") for i in range(op.arity))), "%out")
                body.line("ret void")
    return module


def test_other_processors_are_asked_for_no_option_of_avx512(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LLVM for ARM would write a line to stderr for each module."""
    monkeypatch.setattr(
        llvm, "get_host_cpu_features", lambda: llvm.FeatureMap(neon=True, sve=False)
    )
    assert sorted(target.features.__wrapped__().split(",")) == ["+neon", "-sve"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_code_for_every_platform_calls_nothing_unknown(platform: str) -> None:
    """Emitted as assembly for systems not at hand: calls are of the C library, or a probe."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(platform).create_target_machine(opt=0)
    module = everything()
    parsed = llvm.parse_assembly(module.text())
    parsed.triple = platform
    called = set()
    for line in machine.emit_assembly(parsed).splitlines():
        words = line.replace("@PLT", "").split()
        if words and words[0] in {"bl", "call", "callq", "b", "jmp"} and "." not in words[1]:
            called.add(words[1].strip('"').lstrip("_*"))
    unknown = {x for x in called if not x.startswith(("L", "%", "x", "r", "["))} - ALLOWED
    assert unknown <= {"chkstk"}
