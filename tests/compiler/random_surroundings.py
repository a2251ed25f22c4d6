"""Random programs that read captured state, by every route, changed between their calls.

``python -m tests.compiler.random_surroundings --from 0 --count 50000`` compares so many programs
of four calls each, and prints the share that is refused and the programs that differ, by route.

Each program is source text (`captured_programs`), run twice: with compiled functions, and under
`disable_jit`. Each call must give the number, the gradients or the error of the eager call, or
a TraceError, which leaves all state unchanged. A program that reads a clock must give another
result at each call, or a TraceError.
"""

from __future__ import annotations

import argparse
import atexit
import importlib
import linecache
import math
import shutil
import signal
import sys
import tempfile
import time
import types
import warnings
from collections import Counter
from contextlib import ExitStack, redirect_stdout, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from tests.compiler.captured_cases import TAKEN_TO_STAY
from tests.compiler.captured_programs import CALLS, Program, drawn_program
from tests.compiler.program_state import same_classes, same_process, state
from tests.compiler.search import NOT_COMPARED

from scalargrad import TraceError, Value, disable_jit, gradients, nn

#: Longest time that one program may take, in seconds.
TIMEOUT = 15
#: Number of redrawn programs before a seed is given up.
TRIES = 60


@dataclass
class Called:
    """Outcome of one call, and the state before and after it."""

    kind: str
    value: Any
    before: str
    after: str
    shown: str


class Interrupted(BaseException):
    """The program takes too long."""


class Skipped(Exception):  # noqa: N818 - no error
    """The program cannot be run at all."""


def outcome(call: Any, x: Any, values: list[Value]) -> tuple[str, Any]:
    """Return the kind of the result of a call, and its number and gradients."""
    try:
        y = call(x)
    except TraceError as error:
        return "refused", str(error)
    except Exception as error:  # noqa: BLE001 - compared
        return "error", type(error).__name__
    if isinstance(y, Value):
        wrt = [*([x] if isinstance(x, Value) else []), *values[:6]]
        try:
            slopes = gradients(y, wrt) if wrt else []
        except Exception as error:  # noqa: BLE001 - compared
            slopes = type(error).__name__
        return "Value", [y.data, slopes]
    if isinstance(y, int | float | np.floating | np.integer | np.bool_):
        return "float", float(y)
    if isinstance(y, list | tuple | np.ndarray):
        return type(y).__name__, [z.data if isinstance(z, Value) else z for z in np.ravel(y)]
    return type(y).__name__, y if isinstance(y, str | complex | None) else ""


def agree(a: Any, b: Any) -> bool:
    """Return True if two results are equal but for rounding."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, float | np.floating) and isinstance(b, float | np.floating):
        return bool(a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=1e-12))
    return bool(a == b)


def run(program: Program, name: str, folder: Path, code: Any) -> list[Called]:
    """Run a program once, and return the outcomes of its calls.

    Raises
    ------
    Skipped
        If its definitions fail, or if its first call does.
    """
    calls: list[Called] = []
    module: Any = types.ModuleType(name)
    _ALIVE.append(module)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with (
        ExitStack() as stack,
        same_process(),
        warnings.catch_warnings(),
        redirect_stdout(StringIO()),
    ):
        warnings.simplefilter("ignore")
        module.FOLDER = str(work)
        if program.has_file:
            module.__file__ = code.co_filename
        for other, text in program.files.items():
            sys.modules.pop(other, None)
            (folder / f"{other}.py").write_text(text, encoding="utf-8")
        if program.files:
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)
        except Exception as error:
            raise Skipped(f"{type(error).__name__}: {error}") from error
        stack.enter_context(same_classes(module.get() if hasattr(module, "get") else None))
        for k in range(CALLS):
            if k:
                with suppress(Exception):  # the same in both runs
                    getattr(module, f"change_{k}")()
            x = eval(program.arguments[k], {"np": np, "Value": Value, **_ARGUMENTS})
            before, values = state(module, work)
            kind, value = outcome(module.call, x, values)
            after, _ = state(module, work)
            calls.append(Called(kind, value, before, after, f"{kind} {value!r}"[:150]))
    return calls


_ARGUMENTS = {"Parameter": __import__("scalargrad").Parameter, "nn": nn}


def differing(program: Program, eager: list[Called], compiled: list[Called]) -> str:
    """Return how compiled calls differ from eager ones; '' if none does."""
    answered = [c for c in compiled if c.kind != "refused"]
    if program.judged != "equal" and answered:
        if program.judged == "refused":
            return f"{answered[0].shown} where a TraceError is due"
        results = [c.shown for c in answered]
        return "" if len({*results}) == len(results) else f"{results} of a clock"
    for k, (a, b) in enumerate(zip(eager, compiled, strict=True)):
        found = _difference(a, b)
        if found:
            return f"call {k}: {found}"
        if b.kind == "refused" and a.before != a.after:  # states differ from here on
            return ""
    return ""


def _is_constant(value: Any) -> bool:
    """Return True if all gradients of a result, a number with its gradients, are 0."""
    gradients = value[1] if isinstance(value, list) and len(value) == 2 else None
    return isinstance(gradients, list) and all(x == 0.0 for x in gradients)


def _difference(a: Called, b: Called) -> str:
    """Return how a compiled call differs from an eager one; '' if it does not."""
    if b.kind == "refused" or (
        (b.kind, b.value) == ("error", "OperandError") and a.kind != "error"
    ):
        return "refused, and yet state is changed" if b.before != b.after else ""
    if a.kind == "float" and b.kind == "Value" and _is_constant(b.value):
        b = replace(b, kind="float", value=b.value[0])  # of a captured Value that is copied
    if a.kind != b.kind or not agree(a.value, b.value):
        return f"{b.shown} for {a.shown}"
    if (a.before == a.after) != (b.before == b.after):
        return "changes state where eager code does not" if a.before == a.after else "no effect"
    return ""


def runnable(seed: int) -> tuple[Program, list[Called], Any, str, Path]:
    """Return the first program that a seed draws whose first eager call gives a result."""
    name = f"program_{seed}"
    reason = ""
    for attempt in range(TRIES):
        program = drawn_program(seed + attempt * 1_000_003_001)
        folder = _folder()
        file = folder / f"{name}.py"
        try:
            code = compile(program.source, str(file) if program.has_file else "<program>", "exec")
        except SyntaxError as error:
            reason = f"{error}"
            continue
        if program.has_file:
            file.write_text(program.source, encoding="utf-8")
            linecache.checkcache(str(file))
        try:
            with disable_jit():
                calls = run(program, name, folder, code)
        except Skipped as skipped:
            reason = str(skipped)
            continue
        if calls[0].kind != "error":
            return program, calls, code, name, folder
        reason = calls[0].shown
    raise Skipped(reason)


def _folder() -> Path:
    """Return the folder of programs in files, made when it is first needed."""
    if not _FOLDERS:
        _FOLDERS.append(Path(tempfile.mkdtemp(prefix="surroundings-")))
        atexit.register(shutil.rmtree, _FOLDERS[0], ignore_errors=True)
    return _FOLDERS[0]


_FOLDERS: list[Path] = []


#: The modules of the latest program, kept so that no two runs have objects at equal addresses.
_ALIVE: list[Any] = []


def compared(seed: int) -> tuple[Program | None, str]:
    """Return the program of a seed, and how it differs."""

    def interrupted(*_: Any) -> None:
        raise Interrupted(f"longer than {TIMEOUT} s")

    _ALIVE.clear()
    with ExitStack() as stack:
        if hasattr(signal, "setitimer"):
            before = signal.signal(signal.SIGALRM, interrupted)
            signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
            stack.callback(signal.signal, signal.SIGALRM, before)
            stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        try:
            program, eager, code, name, folder = runnable(seed)
        except (Skipped, Interrupted):
            return None, NOT_COMPARED
        try:
            compiled = run(program, name, folder, code)
        except Interrupted:
            return program, f"takes longer than {TIMEOUT} s, and eagerly less"
        except Skipped as skipped:
            return program, f"definitions fail: {skipped}"
        found = differing(program, eager, compiled)
        if found and program.judged == "equal":
            with disable_jit():
                again = run(program, name, folder, code)
            if differing(program, eager, again):  # as where a text holds the address of an object
                found = NOT_COMPARED
        if not found and all(c.kind == "refused" for c in compiled):
            found = NOT_COMPARED
        return program, found


def report(seed: int) -> str:
    """Return the source of a seed's program, with what each call gives."""
    program, eager, code, name, folder = runnable(seed)
    lines = [f"{program}"]
    for k, (a, b) in enumerate(zip(eager, run(program, name, folder, code), strict=True)):
        lines.append(f"# call {k}: eager {a.shown}; compiled {b.shown}")
    return "\n".join(lines)


class Counts:
    """Counts of programs by route: all, refused, of what is taken to stay, and wrong seeds."""

    def __init__(self) -> None:
        self.programs, self.refused, self.stays = Counter[str](), Counter[str](), Counter[str]()
        self.wrong: dict[str, list[int]] = {}
        self.left = 0

    def add(self, seed: int, program: Program | None, found: str) -> bool:
        """Count a program, and return True if it is wrong."""
        if program is None:
            self.left += 1
            return False
        route = program.route
        self.programs[route] += 1
        if found == NOT_COMPARED:
            self.refused[route] += 1
        elif found and route in TAKEN_TO_STAY:
            self.stays[route] += 1
        elif found:
            self.wrong.setdefault(route, []).append(seed)
        return seed in self.wrong.get(route, [])

    def table(self, *, whole: bool = False) -> str:
        """Return counts in lines: of the routes that differ, or of all."""
        lines = [f"{'route':44} programs refused differ  seeds"]
        routes = self.programs if whole else self.wrong
        for route in sorted(routes, key=lambda x: (-len(self.wrong.get(x, [])), x)):
            seeds = self.wrong.get(route, [])
            numbers = f"{self.programs[route]:8} {self.refused[route]:7} {len(seeds):6}"
            lines.append(f"{route:44} {numbers}  {' '.join(map(str, seeds[:3]))}".rstrip())
        total, differ = self.programs.total(), sum(map(len, self.wrong.values()))
        share = self.refused.total() / max(total, 1)
        lines.append(
            f"\n{total:,} programs of {CALLS} calls: {differ} differ, {share:.1%} are refused at "
            f"every call or not compared; {self.left} seeds draw no program that runs; "
            f"{self.stays.total()} changes of what is taken to stay are not noticed"
        )
        return "\n".join(lines)


def search() -> int:
    """Compare the seeds asked for; print those that differ, and counts by route."""
    parser = argparse.ArgumentParser(prog="python -m tests.compiler.random_surroundings")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=2000, help="number of seeds")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no seed after them")
    parser.add_argument("--show", action="store_true", help="print the source of what differs")
    parser.add_argument("--routes", action="store_true", help="print counts of all routes")
    parser.add_argument("--only", default="", help="text that the route contains")
    options = parser.parse_args()
    begun, counts = time.monotonic(), Counts()
    for seed in range(options.first, options.first + options.count):
        if time.monotonic() - begun > options.seconds:
            break
        if options.only and options.only not in drawn_program(seed).route:
            continue
        try:
            program, found = compared(seed)
        except Exception as error:  # noqa: BLE001 - reported, and the next seed is compared
            program, found = drawn_program(seed), f"{type(error).__name__}: {error}"
        if counts.add(seed, program, found) and program is not None:
            parts = ", ".join(f"{k}: {x}" for k, x in program.parts.items())
            print(f"seed {seed}: {found} ({parts})", flush=True)
            if options.show:
                print(report(seed), flush=True)
    print(f"\n{counts.table(whole=options.routes)} ({time.monotonic() - begun:.0f} s)")
    return bool(counts.wrong)


if __name__ == "__main__":
    sys.exit(search())
