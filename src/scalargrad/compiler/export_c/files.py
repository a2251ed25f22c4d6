"""Files of C and machine code: `write` makes them, `load` calls a shared library."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalargrad.checks.numbers import as_float
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.export_c.program import ExportedProgram, extract_program
from scalargrad.compiler.export_c.source import Source, around_loops, c_source, header
from scalargrad.compiler.nests.c_printer import HEAD
from scalargrad.compiler.nests.compile_nests import choose, scheduled
from scalargrad.compiler.nests.lowering import Lowered
from scalargrad.compiler.nests.printer import print_llvm
from scalargrad.errors import OperandError, StateError, TraceError
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.short_repr import format_value, shorten

if TYPE_CHECKING:
    from scalargrad.compiler.jitted import Jitted

#: Reserved names: keywords of C and C++, and functions of <math.h>.
_RESERVED = frozenset(
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
    """Write the program of a compiled function to files; see `Jitted.export`."""
    target = Path(file_path(path))
    called = shorten(str(path))
    name, kind = target.stem, target.suffix
    if kind not in _SUFFIXES:
        raise OperandError(f"{called} ends in {format_value(kind)}: end it in .c, .o or .so")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in _RESERVED:
        raise OperandError(
            f"{called} would name a function {format_value(name)}, which C does not allow: use a "
            "letter, then letters, digits and _, but no keyword or function of C"
        )
    program = extract_program(compiled, name, args, kwargs)
    if kind == ".c":
        source = c_source(program)
        files = {kind: source.text.encode(), ".h": header(program, source.static_size).encode()}
    else:
        files = machine_code(program, kind)
    return [write_atomically(target.with_suffix(end), files[end]) for end in files]


#: Functions that `load` needs: the names, and the first output as a return value.
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
#: Options of the C compiler for each kind of file.
_LINKED = {".so": ("-shared", "-lm"), ".o": ("-r", "-nostdlib")}


def machine_code(exported: ExportedProgram, suffix: str) -> dict[str, bytes]:
    """Return the contents of the ``.so`` or ``.o`` file, and of the ``.h`` file."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise OperandError(
            "machine code needs a C compiler, which is not installed: install gcc, or export a .c "
            "file"
        )
    source, code, target = _source(exported)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {f"{exported.name}.h": header(exported, source.static_size, target)}
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


def _source(exported: ExportedProgram) -> tuple[Source, bytes, str]:
    """Return the C of a program, the object code of its loops, and the processor it is for."""
    if not has_llvm():
        return c_source(exported), b"", "this processor"
    from scalargrad.compiler.backend.llvm.machine_code import relocatable

    name = f"{exported.name}_loops"

    def printed(lowered: Lowered) -> tuple[Any, ...]:
        found = scheduled(lowered)
        return found, print_llvm(found.body, found.plan, name)[0]

    loops, module = choose(exported.recorded, printed)[0]
    code, target = relocatable(module.text(), name)
    declared = f"{HEAD}\nvoid {name}(double *m);\n"
    return around_loops(exported, loops, declared), code, target


def _for_load(exported: ExportedProgram) -> str:
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
        Names of the numbers.
    first : ctypes function
        ``double first(int n, double *numbers)`` returns the first output. Other libraries call it
        without Python: ``scipy.LowLevelCallable(loaded.first)`` is an integrand for SciPy. It uses
        static memory: call it from one thread at a time.
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
                f"{path} is not a shared library that scalargrad wrote for this machine, or was "
                f"renamed: {error}"
            ) from error
        self.first.restype = ctypes.c_double
        self.first.argtypes = ctypes.c_int, ctypes.POINTER(ctypes.c_double)
        self._has_guards = bool(names["is_guarded"])
        self._lock = threading.Lock()  # it uses static memory

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.inputs)} numbers to {len(self.outputs)}>"

    def __call__(self, numbers: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs.

        Raises
        ------
        OperandError
            If their number is not that of `inputs`.
        TraceError
            If the traced function takes another branch for these numbers.
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
                f"{self.name} takes another branch for these numbers than for those it was "
                "exported with, or they leave a domain: export it with an example on their branch"
            )
        return found[:n]


def load(path: str | os.PathLike[str]) -> Loaded:
    """Load a function that `jit(f).export` wrote as a shared library.

    Loading a library runs its code: load only libraries from sources that you trust.

    Parameters
    ----------
    path : str or path
        A ``.so`` file, with the name under which it was exported.

    Returns
    -------
    Loaded
        A callable that takes a sequence of numbers; its attributes name them.

    Raises
    ------
    StateError
        If the file is damaged, is not from scalargrad, or is for another kind of processor.

    Examples
    --------
    >>> from scalargrad import Value, jit
    >>> product = jit(lambda x, y: x * y)
    >>> files = product.export("product.so", Value(3.0), 2.0)  # doctest: +SKIP
    >>> load("product.so")([5.0, 7.0])  # doctest: +SKIP
    [35.0, 7.0]
    """
    return Loaded(Path(file_path(path)))
