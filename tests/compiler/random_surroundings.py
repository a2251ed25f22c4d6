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
import builtins
import csv
import decimal
import gc
import importlib
import linecache
import logging
import math
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import types
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from tests.compiler.captured_programs import CALLS, Program, drawn_program
from tests.compiler.search import NOT_COMPARED

from scalargrad import TraceError, Value, disable_jit, gradients, nn

#: Longest time that one program may take, in seconds.
PATIENCE = 30
#: Number of redrawn programs before a seed is given up.
TRIES = 60
#: Modules whose attributes programs may replace.
_PATCHED = [builtins, math, os, random, sys.modules["operator"], sys.modules["functools"]]


@dataclass
class Called:
    """What one call gave, and the state before and after it."""

    kind: str
    value: Any
    before: str
    after: str
    shown: str


class Skipped(Exception):  # noqa: N818 - no error
    """The program cannot be run at all."""


def described(
    x: Any, known: dict[int, tuple[int, Any]], values: list[Value], depth: int = 0
) -> Any:
    """Return a text that tells states apart; collect the Values in it."""
    kind = type(x)
    if isinstance(x, int | float | complex | str | bytes | None) and not hasattr(x, "__dict__"):
        return f"{kind.__name__} {x!r}"
    where = str(x.__module__ if isinstance(x, types.FunctionType | type) else kind.__module__)
    if where.startswith("scalargrad") and not isinstance(x, Value | nn.Module):
        return getattr(x, "__name__", kind.__name__)
    if id(x) in known:
        return f"known {known[id(x)][0]}"
    if depth > 12:
        return kind.__name__
    known[id(x)] = len(known), x  # kept alive, so that no other object has its id
    more: list[Any] = []
    if isinstance(x, Value):
        values.append(x)
        more.append(repr(x.data))
    elif isinstance(x, np.ndarray):
        more += [str(x.dtype), x.shape, x.tolist() if x.dtype == object else x.tobytes()]
    elif isinstance(x, Mapping) and not isinstance(x, types.MappingProxyType):
        try:
            more += [(y, x[y]) for y in x]
        except Exception:  # noqa: BLE001 - a class of the program's
            more.append("a mapping")
    elif isinstance(x, set | frozenset):
        more += (
            sorted(map(repr, x)) if all(type(y).__repr__ is not object.__repr__ for y in x) else []
        )
    elif issubclass(kind, list | tuple) or kind.__name__ == "deque":
        more += [*x]
    elif isinstance(x, types.FunctionType):
        more += [x.__name__, x.__defaults__, x.__kwdefaults__]
        more += [cell.cell_contents for cell in x.__closure__ or () if _is_set(cell)]
    elif isinstance(x, types.MethodType):
        more += [x.__self__]
    elif isinstance(x, type):
        if x.__module__.startswith("program_"):
            more += [(n, y) for n, y in vars(x).items() if _is_told(n)]
        return [x.__name__, *(described(y, known, values, depth + 1) for y in more)]
    elif kind.__name__ == "partial":
        more += [x.func, x.args, x.keywords]
    elif isinstance(x, StringIO):
        more += [x.getvalue(), x.tell()] if not x.closed else ["closed"]
    elif isinstance(x, random.Random):
        more.append(str(hash(x.getstate())))
    for name in ("is_set", "locked", "qsize"):
        if type(x).__module__ in {"threading", "queue", "_thread"} and hasattr(kind, name):
            more.append(str(getattr(x, name)()))
    if not kind.__module__.startswith("unittest"):
        try:
            named = object.__getattribute__(x, "__dict__")
        except AttributeError:
            named = {}
        if isinstance(named, dict) and not isinstance(x, types.ModuleType | logging.Logger):
            hidden = ("_",) if isinstance(x, Value) else ("__wrapped__",)
            more += [(n, y) for n, y in named.items() if not n.startswith(hidden)]
        for base in kind.__mro__:
            for name in vars(base).get("__slots__", ()) if "program_" in base.__module__ else ():
                with_it = getattr(x, name, None) if name != "__weakref__" else None
                more.append((name, with_it))
    return [kind.__name__, *(described(y, known, values, depth + 1) for y in more)]


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_told(name: str) -> bool:
    """Return True if an attribute of a class is part of the state."""
    return not name.startswith("__") and not name.startswith("_abc")


def state(module: types.ModuleType, folder: Path) -> tuple[str, list[Value]]:
    """Return a text of all state of a program, and its Values."""
    values: list[Value] = []
    known: dict[int, tuple[int, Any]] = {}
    names = [
        (n, x)
        for n, x in vars(module).items()
        if not n.startswith("__")
        and not n.startswith("change_")
        and not (isinstance(x, types.ModuleType) and _is_library(x))
    ]
    text = f"{[(n, described(x, known, values)) for n, x in names]}"
    for n, x in names:
        if isinstance(x, types.ModuleType):
            named = {m: y for m, y in vars(x).items() if not m.startswith("__")}
            text += f"{n} {described(named, known, values)}"
    if any(folder.iterdir()):
        files = sorted(p for p in folder.rglob("*") if "__pycache__" not in p.parts)
        text += f"{[(p.name, p.read_bytes() if p.is_file() else '') for p in files]}"
    return text + f"{sorted((n, x) for n, x in os.environ.items() if 'SURR' in n)}", values


_LIBRARIES = {*sys.stdlib_module_names, "numpy", "scalargrad"}


def _is_library(module: types.ModuleType) -> bool:
    name = module.__name__
    return name.partition(".")[0] in _LIBRARIES and sys.modules.get(name) is module


def _set_collector(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


def _mask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


#: Settings of the process: how each is read, and set.
_PROCESS: list[tuple[Any, Any]] = [
    (gc.isenabled, _set_collector), (gc.get_threshold, lambda x: gc.set_threshold(*x)),
    (sys.getswitchinterval, sys.setswitchinterval), (_mask, os.umask),
    (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    (csv.field_size_limit, csv.field_size_limit),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (lambda: signal.getsignal(signal.SIGUSR1), lambda x: signal.signal(signal.SIGUSR1, x)),
    (lambda: threading.current_thread().name,
     lambda x: setattr(threading.current_thread(), "name", x)),
    (lambda: time.tzname, lambda x: setattr(time, "tzname", x)),
]  # fmt: skip


@contextmanager
def same_process() -> Iterator[None]:
    """Undo what a program changes in the process."""
    modules, path, argv, cwd = dict(sys.modules), [*sys.path], [*sys.argv], Path.cwd()
    environ, limit, filters = dict(os.environ), sys.getrecursionlimit(), [*warnings.filters]
    errors, shown = np.geterr(), np.get_printoptions()
    patched = [dict(vars(m)) for m in _PATCHED]
    process = [(read(), write) for read, write in _PROCESS]
    context, level, drawn_by = decimal.getcontext().copy(), logging.root.level, random.getstate()
    streams = sys.stdin, sys.stdout, sys.stderr
    try:
        yield
    finally:
        for name in [*sys.modules]:
            if name not in modules and not name.startswith(("numpy", "scalargrad")):
                if name.partition(".")[0] not in _LIBRARIES or _is_ours(sys.modules[name]):
                    del sys.modules[name]
            elif name in modules and sys.modules[name] is not modules[name]:
                sys.modules[name] = modules[name]
        for m, before in zip(_PATCHED, patched, strict=True):
            now = vars(m)
            for name in [*now]:
                if name not in before:
                    del now[name]
                elif now[name] is not before[name]:
                    now[name] = before[name]
            now.update({name: x for name, x in before.items() if name not in now})
        sys.path[:], sys.argv[:] = path, argv
        sys.stdin, sys.stdout, sys.stderr = streams
        os.chdir(cwd)
        if dict(os.environ) != environ:
            os.environ.clear()
            os.environ.update(environ)
        sys.setrecursionlimit(limit)
        warnings.filters[:] = filters  # type: ignore[index]
        np.seterr(**errors)
        np.set_printoptions(**shown)
        decimal.setcontext(context)
        logging.root.setLevel(level)
        logging.disable(logging.NOTSET)
        random.setstate(drawn_by)
        for value, write in process:
            write(value)
        for logger in [*logging.root.manager.loggerDict]:
            if logger == "surr":
                del logging.root.manager.loggerDict[logger]


@contextmanager
def same_classes(x: Any) -> Iterator[None]:
    """Undo what a program changes in classes of libraries, found as those of an object."""
    found = [
        c
        for c in (*type(x).__mro__, *(x.__mro__ if isinstance(x, type) else ()))
        if c.__flags__ & 0x300 == 0x200
    ]
    before = [(c, dict(vars(c))) for c in found]
    try:
        yield
    finally:
        for c, attributes in before:
            for name in [*vars(c)]:
                if name not in attributes:
                    delattr(c, name)
                elif vars(c)[name] is not attributes[name]:
                    setattr(c, name, attributes[name])
            for name, y in attributes.items():
                if name not in vars(c):
                    setattr(c, name, y)


def _is_ours(module: Any) -> bool:
    return str(getattr(module, "__file__", "") or "").startswith(tempfile.gettempdir())


def outcome(call: Any, x: Any, values: list[Value]) -> tuple[str, Any]:
    """Return what kind of result a call gives, and its number and gradients."""
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
        return type(y).__name__, [z.data if isinstance(z, Value) else z for z in y]
    return type(y).__name__, y if isinstance(y, str | complex | None) else ""


def agree(a: Any, b: Any) -> bool:
    """Return True if two results are equal but for rounding."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, float | np.floating) and isinstance(b, float | np.floating):
        return bool(a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=1e-12))
    return bool(a == b)


def run(program: Program, name: str, folder: Path, code: Any) -> list[Called]:
    """Run a program once, and return what its calls gave.

    Raises
    ------
    Skipped
        If its definitions fail, or if its first call does.
    """
    calls: list[Called] = []
    module: Any = types.ModuleType(name)
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
    for k, (a, b) in enumerate(zip(eager, compiled, strict=True)):
        if b.kind == "refused":
            if b.before != b.after:
                return f"call {k}: refused, and yet state is changed"
            if a.before != a.after:  # which a refused call does not do: states differ from here on
                return ""
            continue
        if program.judged == "refused":
            return f"call {k}: {b.shown} where a TraceError is due"
        if program.judged == "clock":
            results = [c.value for c in compiled if c.kind != "refused"]
            return "" if len({*map(str, results)}) == len(results) else f"{results} of a clock"
        if a.kind != b.kind or not agree(a.value, b.value):
            return f"call {k}: {b.shown} for {a.shown}"
        if (a.before == a.after) != (b.before == b.after):
            which = (
                "changes state where eager code does not" if a.before == a.after else "no effect"
            )
            return f"call {k}: {which}"
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
    if not _FOLDERS:
        _FOLDERS.append(Path(tempfile.mkdtemp(prefix="surroundings-")))
        import atexit

        atexit.register(shutil.rmtree, _FOLDERS[0], ignore_errors=True)
    return _FOLDERS[0]


_FOLDERS: list[Path] = []


def stale(seed: int) -> str:
    """Return how a compiled program of a seed differs from eager calls; empty if it does not."""
    return compared(seed)[1]


def compared(seed: int) -> tuple[Program | None, str]:
    """Return the program of a seed, and how it differs."""

    def interrupted(*_: Any) -> None:
        raise TimeoutError(f"longer than {PATIENCE} s")

    with ExitStack() as stack:
        if hasattr(signal, "setitimer"):
            before = signal.signal(signal.SIGALRM, interrupted)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE)
            stack.callback(signal.signal, signal.SIGALRM, before)
            stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        try:
            program, eager, code, name, folder = runnable(seed)
        except Skipped:
            return None, NOT_COMPARED
        try:
            compiled = run(program, name, folder, code)
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


def told(seed: int) -> tuple[str, str]:
    """Return the route of a seed's program, and its source with what each call gave."""
    program, eager, code, name, folder = runnable(seed)
    lines = [f"{program}"]
    for k, (a, b) in enumerate(zip(eager, run(program, name, folder, code), strict=True)):
        lines.append(f"# call {k}: eager {a.shown}; compiled {b.shown}")
    return program.route, "\n".join(lines)


def search() -> int:
    """Compare the seeds asked for; print those that differ, and counts by route."""
    parser = argparse.ArgumentParser(prog="python -m tests.compiler.random_surroundings")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=2000, help="number of seeds")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no seed after them")
    parser.add_argument("--show", action="store_true", help="print the source of what differs")
    parser.add_argument("--only", default="", help="routes that contain this text")
    options = parser.parse_args()
    begun = time.monotonic()
    count: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    wrong: dict[str, list[int]] = {}
    left = 0
    for seed in range(options.first, options.first + options.count):
        if time.monotonic() - begun > options.seconds:
            break
        if options.only and options.only not in drawn_program(seed).route:
            continue
        try:
            program, found = compared(seed)
        except Exception as error:  # noqa: BLE001 - reported, and the next seed goes on
            program, found = drawn_program(seed), f"{type(error).__name__}: {error}"
        if program is None:
            left += 1
            continue
        count[program.route] += 1
        if found == NOT_COMPARED:
            refused[program.route] += 1
        elif found:
            wrong.setdefault(program.route, []).append(seed)
            parts = ", ".join(f"{k}: {x}" for k, x in program.parts.items())
            print(f"seed {seed}: {found} ({parts})", flush=True)
            if options.show:
                print(told(seed)[1], flush=True)
    total, differ = sum(count.values()), sum(map(len, wrong.values()))
    print(f"\n{'route':44} programs refused differ  seeds")
    for route in sorted(count, key=lambda x: (-len(wrong.get(x, [])), x)):
        seeds = wrong.get(route, [])
        some = " ".join(map(str, seeds[:3]))
        print(f"{route:44} {count[route]:8} {refused[route]:7} {len(seeds):6}  {some}")
    print(
        f"\n{total:,} programs of {CALLS} calls in {time.monotonic() - begun:.0f} s: {differ} "
        f"differ, {sum(refused.values()) / max(total, 1):.1%} are refused at every call; "
        f"{left} seeds draw no program that runs"
    )
    return differ > 0


if __name__ == "__main__":
    os.environ.setdefault("SCALARGRAD_JIT", "numpy")
    sys.exit(search())
