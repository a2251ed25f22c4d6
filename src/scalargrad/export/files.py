"""The files of a compiled function: C, and machine code, which `load` calls from Python.

C is a function of C99 that needs nothing but <math.h>, and its header. Its loops run over a block
of memory, as those of compiled calls do, and have the same digits.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.c_printer import HEAD, number_text, print_c
from scalargrad.compiler.nests.compile_nests import Scheduled, scheduled, written
from scalargrad.compiler.nests.lowering import Lowered
from scalargrad.compiler.nests.printer import print_llvm
from scalargrad.errors import OperandError, StateError, TraceError
from scalargrad.export.program import Exported, exported, layout
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.short_repr import shortened, shown
from scalargrad.table.numbers import as_float
from scalargrad.version import __version__

#: The most numbers of a workspace on the stack; a larger one is static.
ON_THE_STACK = 1024
_HEADER = files(__package__).joinpath("header.h.txt").read_text(encoding="utf-8")

_NOTE = """
 *
 * The function takes another way for some numbers. The last number of out is 1 where it takes the
 * one that was recorded, and 0 where it does not; then all others are nan."""

_MEMORY = """
 *
 * It computes in {bytes:,} bytes of static memory: call it from one thread at a time."""

_TARGET = """
 *
 * The code is for {target}, and for processors that can do all that this one can."""


class Source(NamedTuple):
    """The text of a C file, and how many numbers of static memory it computes in."""

    text: str
    cells: int


def c_source(exported: Exported) -> Source:
    """Return a program as C."""

    def printed(lowered: Lowered) -> tuple[Scheduled, str]:
        found = scheduled(lowered, lanes=False)
        return found, print_c(found.body, found.plan, f"{exported.name}_loops")

    return around_loops(exported, *written(exported.recorded, printed))


def around_loops(exported: Exported, loops: Scheduled, text: str) -> Source:
    """Return the C that calls loops: it copies their inputs in and their results out.

    Parameters
    ----------
    exported : Exported
    loops : Scheduled
    text : str
        The source, or a declaration, of the function ``NAME_loops``.
    """
    memory, name, results = loops.plan.initial_memory(), exported.name, len(exported.outputs)
    is_large = len(memory) > ON_THE_STACK
    first = LINE + loops.outputs.start
    lines = [
        f"void {name}(const double *in, double *out) {{",
        f"{'static ' * is_large}double m[{len(memory)}]{_initial_code(memory)};",
        f"for (long i = 0; i < {loops.inputs}; i++) m[{LINE} + i] = in[i];",
        f"{name}_loops(m);",
        f"for (long i = 0; i < {loops.results}; i++) out[i] = m[{first} + i];",
    ]
    if exported.is_guarded:
        taken = f"out[{results}] == 0.0"
        lines.append(f"for (long i = 0; {taken} && i < {results}; i++) out[i] = NAN;")
    head = f'/* Written by scalargrad {__version__}: see {name}.h */\n#include "{name}.h"\n'
    return Source("\n".join([head, text, *lines, "}\n"]), len(memory) * is_large)


def _initial_code(memory: Floats) -> str:
    """Return the initializer of memory: numbers other than 0, each with its cell."""
    (cells,) = memory.view(np.int64).nonzero()
    numbers = ", ".join(f"[{k}] = {number_text(memory[k])}" for k in cells)
    return f" = {{\n{textwrap.fill(numbers or '0.0', 100)}}}"


# The header ---------------------------------------------------------------------------------------


def header(exported: Exported, cells: int, target: str = "") -> str:
    """Return the text of the header.

    Parameters
    ----------
    exported : Exported
    cells : int
        How many numbers of static memory it computes in.
    target : str
        The processor that machine code is for; empty for C.
    """
    outputs = [*exported.outputs, *["whether the recorded way was taken"] * exported.is_guarded]
    return _HEADER.format(
        name=exported.name,
        upper=exported.name.upper(),
        version=__version__,
        inputs=len(exported.inputs),
        outputs=len(outputs),
        note=_NOTE if exported.is_guarded else "",
        memory=_MEMORY.format(bytes=8 * cells) if cells else "",
        target=_TARGET.format(target=target) if target else "",
        ins=_listed(exported.inputs),
        outs=_listed(outputs),
    )


def _listed(names: Sequence[str]) -> str:
    lines = [line.replace("*/", "* /").replace("/*", "/ *") for line in layout(names)]
    return "\n".join(f" *   {line}" for line in lines or ["none"])


#: Words of C and C++, and the functions of <math.h>.
_TAKEN = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while main in out class delete new template this
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p
    log2 logb lrint lround modf nan nearbyint nextafter pow remainder remquo rint round scalbn sin
    sinh sqrt tan tanh tgamma trunc
    """.split()  # noqa: SIM905 - read more easily
)
_SUFFIXES = (".c", ".o", ".so")


def write(
    compiled: Jitted[Any, Any],
    path: str | os.PathLike[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Path]:
    """Write the program of a compiled function for such arguments; see `Jitted.export`."""
    target = Path(file_path(path))
    called = shortened(str(path))
    name, kind = target.stem, target.suffix
    if kind not in _SUFFIXES:
        raise OperandError(f"{called} ends in {shown(kind)}: end it in .c, .o or .so")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in _TAKEN:
        raise OperandError(
            f"{called} would name a function {shown(name)}, which C does not allow: use a letter, "
            "then letters, digits and _, and no keyword or function of C"
        )
    program = exported(compiled, name, args, kwargs)
    if kind == ".c":
        source = c_source(program)
        files = {kind: source.text.encode(), ".h": header(program, source.cells).encode()}
    else:
        files = machine_code(program, kind)
    return [write_atomically(target.with_suffix(end), files[end]) for end in files]


#: The additions that `load` reads: names, and the first output as a return value.
_FOR_LOAD = """
const char {name}_names[] = {names};
double {name}_first(int n, double *in) {{
  static double out[{outputs}];
  (void)n;
  {name}(in, out);
  return out[0];
}}
"""
_OPTIONS = ("-std=c99", "-O2", "-march=native", "-ffp-contract=off", "-fPIC")
#: The compiler's options for each kind of file.
_LINKED = {".so": ("-shared", "-lm"), ".o": ("-r", "-nostdlib")}


def machine_code(exported: Exported, suffix: str) -> dict[str, bytes]:
    """Return the contents of the ``.so`` or ``.o`` file, and of the ``.h`` file."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise OperandError(
            "machine code is made by a C compiler, which is not installed here: install gcc, or "
            "write a .c file"
        )
    source, code, target = _source(exported)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {f"{exported.name}.h": header(exported, source.cells, target)}
        texts["code.c"] = source.text + _for_load(exported)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "loops.o").write_bytes(code)
        files = ["code.c", *["loops.o"] * bool(code), "-o", "made"]
        command = [compiler, *_OPTIONS, *files, *_LINKED[suffix]]
        done = subprocess.run(command, check=False, capture_output=True, cwd=folder, text=True)
        if done.returncode:
            raise OperandError(f"{compiler} cannot compile {exported.name}: {done.stderr.strip()}")
        made = (folder / "made").read_bytes()
    return {suffix: made, ".h": texts[f"{exported.name}.h"].encode()}


def _source(exported: Exported) -> tuple[Source, bytes, str]:
    """Return the C of a program, the object code of its loops, and the processor it is for."""
    if not has_llvm():
        return c_source(exported), b"", "this processor"
    from scalargrad.compiler.backend.llvm.machine_code import relocatable

    name = f"{exported.name}_loops"

    def printed(lowered: Lowered) -> tuple[Any, ...]:
        found = scheduled(lowered)
        return found, print_llvm(found.body, found.plan, name)[0]

    loops, module = written(exported.recorded, printed)
    code, target = relocatable(module.text(), name)
    declared = f"{HEAD}\nvoid {name}(double *m);\n"
    return around_loops(exported, loops, declared), code, target


def _for_load(exported: Exported) -> str:
    names = {"inputs": [*exported.inputs], "outputs": [*exported.outputs]}
    text = json.dumps({**names, "is_guarded": exported.is_guarded})
    outputs = len(exported.outputs) + exported.is_guarded
    return _FOR_LOAD.format(name=exported.name, names=json.dumps(text), outputs=max(outputs, 1))


class Loaded:
    """A function of a shared library: numbers in, numbers out.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of str
        What the numbers are.
    first : ctypes function
        ``double first(int n, double *numbers)``, the first output, which other libraries call
        without Python: ``scipy.LowLevelCallable(loaded.first)`` is an integrand of SciPy's. It
        computes in memory of its own: call it from one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        try:
            library = ctypes.CDLL(os.fspath(path.resolve(strict=True)))
            names = json.loads(ctypes.string_at(getattr(library, f"{self.name}_names")))
            self._function = getattr(library, self.name)
            self.first: Any = getattr(library, f"{self.name}_first")
            self.inputs, self.outputs = tuple(names["inputs"]), tuple(names["outputs"])
        except FileNotFoundError:
            raise
        except (OSError, AttributeError, ValueError, LookupError, TypeError) as error:
            raise StateError(
                f"{path} is no shared library that scalargrad wrote for this machine, or has "
                f"another name than it was written under: {error}"
            ) from error
        self.first.restype = ctypes.c_double
        self.first.argtypes = ctypes.c_int, ctypes.POINTER(ctypes.c_double)
        self._has_guards = bool(names["is_guarded"])
        self._lock = threading.Lock()  # it computes in memory of its own

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.inputs)} numbers to {len(self.outputs)}>"

    def __call__(self, numbers: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs.

        Raises
        ------
        OperandError
            If there are more or fewer than `inputs`.
        TraceError
            If the function that was recorded takes another way for these numbers.
        """
        given, n = len(numbers), len(self.outputs)
        if given != len(self.inputs):
            raise OperandError(
                f"{self.name} takes {len(self.inputs)} numbers, not {given}: see inputs"
            )
        found = (ctypes.c_double * (n + self._has_guards))()
        values = (as_float(x, f"an input of {self.name}") for x in numbers)
        into = (ctypes.c_double * given)(*values)
        with self._lock:
            self._function(into, found)
        if self._has_guards and found[n] == 0.0:
            raise TraceError(
                f"{self.name} was recorded on another path than these numbers take, or they leave "
                "a domain: export it with an example that takes their path"
            )
        return found[:n]


def load(path: str | os.PathLike[str]) -> Loaded:
    """Load a function that `jit(f).export` wrote as a shared library.

    Loading a library runs its code: load only libraries that you or someone you trust has written.

    Parameters
    ----------
    path : str or path
        A ``.so`` file, under the name it was written under.

    Returns
    -------
    Loaded
        Called with a sequence of numbers; says what they are in its attributes.

    Raises
    ------
    StateError
        If the file is damaged, foreign, or for another kind of processor.

    Examples
    --------
    >>> from scalargrad import Value, jit
    >>> product = jit(lambda x, y: x * y)
    >>> files = product.export("product.so", Value(3.0), 2.0)  # doctest: +SKIP
    >>> load("product.so")([5.0, 7.0])  # doctest: +SKIP
    [35.0, 7.0]
    """
    return Loaded(Path(file_path(path)))
