"""Export of compiled functions: C source, and machine code, which `load` calls from Python.

The C source is a C99 function that needs only <math.h>, with a header. Its loops run over one block
of memory, like those of compiled calls, and give the same digits.
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scalargrad.checks.numbers import as_float, is_real
from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.call.arguments import replaced
from scalargrad.compiler.call.outline import Place
from scalargrad.compiler.call.specialization import value_cells
from scalargrad.compiler.guards.object_state import attributes, is_record
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.c_printer import HEAD, number_text, print_c
from scalargrad.compiler.nests.compile_nests import Scheduled, is_printed, scheduled, written
from scalargrad.compiler.nests.lowering import Lowered
from scalargrad.compiler.nests.printer import print_llvm
from scalargrad.compiler.passes.kinds import ADJOINT, LOSS, has_lanes
from scalargrad.compiler.passes.program import Program, Writer
from scalargrad.engine.tree import is_dataclass
from scalargrad.errors import OperandError, StateError, TraceError
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.ops import eq, ne, sum
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.short_repr import format_value, shorten
from scalargrad.version import __version__


@dataclass(frozen=True)
class Exported:
    """A program, and the names of its inputs and outputs.

    Attributes
    ----------
    name : str
        Name of the C function.
    recorded : Program
        Its outputs are `outputs` and, if `is_guarded`, whether the recorded branch was taken.
    inputs, outputs : sequence of str
        Names of the arguments' numbers; names of the results, then of the derivatives of each.
    is_guarded : bool
        Whether the function takes other branches, or leaves a domain, for some numbers.
    """

    name: str
    recorded: Program
    inputs: Sequence[str]
    outputs: Sequence[str]
    is_guarded: bool


def exported(
    compiled: Jitted[Any, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exported:
    """Return the program of a compiled function for arguments like these.

    Raises
    ------
    TraceError
        If it draws random numbers, calls custom operations, or is evaluated eagerly.
    """
    path, call = compiled.taken(args, kwargs)
    if path.is_whole or has_lanes(path.function.recorded.ops):
        path = compiled.record_elementwise(args, kwargs)
    if path.draws:
        raise TraceError(
            f"{compiled!r} draws random numbers, which exported code cannot: draw them outside, "
            "and pass them as arguments"
        )
    for op in path.function.recorded.nodes().occurring():
        if not is_printed(op):
            raise TraceError(
                f"{op.name} cannot be exported to C, only operations of scalargrad can: write it "
                "as an expression of them"
            )
    named = _inputs(compiled, args, kwargs)
    inputs, values = [*named.values()], {*value_cells(call[4])}
    wrt = [k for k, x in enumerate(named) if x in values]
    numbers = [float(x) for x in path.inputs(call[4], path.closed_over)]
    recorded, results = path.function.recorded, _results(path.outline)
    copy = _copy_program(recorded, numbers, [*named])
    made = [copy.operand(x) for x in recorded.outputs]
    found = [made[x] if isinstance(x, int) else copy.constant(x) for _, x in results]
    written, guards = [*found], made[path.results :]
    outputs = [label for label, _ in results]
    outputs += [f"d({result})/d({inputs[k]})" for result in outputs for k in wrt]
    one = copy.constant(1.0)
    for root in found if wrt else ():
        loss = copy.write(LOSS, (root, one))
        written += [copy.write(ADJOINT, (node, loss)) for node in wrt]
    if guards:
        zero, count = copy.constant(0.0), copy.constant(float(len(guards)))
        held = [
            copy.write(ne if outcome else eq, (guard, zero))
            for guard, outcome in zip(guards, path.outcomes, strict=True)
        ]
        written.append(copy.write(eq, (copy.write(sum, tuple(held)), count)))
    return Exported(name, copy.program(written), inputs, outputs, bool(guards))


def _copy_program(recorded: Program, numbers: Sequence[float], inputs: Sequence[int]) -> Writer:
    """Copy a traced program, with these inputs in this order; other inputs become constants."""
    count = len(inputs)
    copy = Writer(recorded, count)
    copy.new.update((x, k) for k, x in enumerate(inputs))
    for node in range(count, len(recorded)):
        if node < recorded.inputs:
            copy.new[node] = copy.constant(numbers[node])
        elif node not in recorded.constants:
            copy.copy(node)
    return copy


# Names --------------------------------------------------------------------------------------------


def _inputs(
    compiled: Jitted[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[int, str]:
    """Return the inputs of a program and their names, in the order of the arguments."""
    places = map(Place, itertools.count())
    positional, named = replaced(args, kwargs, compiled.static, places)
    given = inspect.signature(compiled.__wrapped__).bind(*positional, **named)
    arguments = given.arguments.items()
    leaves = [leaf for name, x in arguments for leaf in _leaves(name, x, is_record)]
    return {place.index: label for label, place in leaves if isinstance(place, Place)}


def _results(outline: Any) -> list[tuple[str, int | float]]:
    """Return the names of the numbers of a result, with indices of outputs or constants."""
    return [
        (name, x.index if isinstance(x, Place) else float(x))
        for name, x in _leaves("result", outline, is_dataclass)
        if isinstance(x, Place) or (is_real(x) and not isinstance(x, bool))
    ]


def _leaves(name: str, x: Any, has_fields: Callable[[type], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the names and leaves of containers and of objects with fields."""
    parts = _parts(x, has_fields)
    if parts is None:
        yield name, x
    for place, y in parts or ():
        yield from _leaves(name + place, y, has_fields)


def _parts(x: Any, has_fields: Callable[[type], bool]) -> list[tuple[str, Any]] | None:
    """Return the entries of a container with the ends of their names; None for a leaf."""
    if isinstance(x, dict):
        return [(f"[{key!r}]", y) for key, y in x.items()]
    if isinstance(x, list | tuple) and not isinstance(x, ParameterMatrix):
        return [(f"[{k}]", y) for k, y in enumerate(x)]
    if has_fields(type(x)):
        return [(f".{field}", y) for field, y in attributes(x).items()]
    if getattr(x, "shape", None):
        places = itertools.product(*map(range, x.shape))
        return [("".join(f"[{k}]" for k in at), y) for at, y in zip(places, x.flat, strict=True)]
    return None


def layout(names: Sequence[str], most: int = 200) -> list[str]:
    """Format a layout as lines; consecutive numbers of one container share a line.

    Examples
    --------
    >>> layout(["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]", "b"])
    ['0 to 3: w[0][0] to w[1][1]', '4: b']
    """
    lines: list[str] = []
    start = 0
    for _, group in itertools.groupby(names, lambda name: re.sub(r"\[\d+\]", "[]", name)):
        first, *others = group
        stop = start + len(others)
        lines.append(
            f"{start} to {stop}: {first} to {others[-1]}" if others else f"{start}: {first}"
        )
        start = stop + 1
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"… and so on, to {len(names) - 1}: {names[-1]}"]


#: Maximum size of a workspace on the stack, in numbers; a larger one is static.
MAX_STACK_NUMBERS = 1024
_HEADER = files(__package__).joinpath("header.h.txt").read_text(encoding="utf-8")

_NOTE = """
 *
 * The function has other branches for some numbers. The last number of out is 1 if the recorded
 * branch was taken, and 0 otherwise; then all other numbers are nan."""

_MEMORY = """
 *
 * It uses {bytes:,} bytes of static memory: call it from one thread at a time."""

_TARGET = """
 *
 * The code is for {target}, and for processors with all features of the one it was made on."""


class Source(NamedTuple):
    """The text of a C file, and the size of its static memory, in numbers."""

    text: str
    static_size: int


def c_source(exported: Exported) -> Source:
    """Render a program as C."""

    def printed(lowered: Lowered) -> tuple[Scheduled, str]:
        found = scheduled(lowered, lanes=False)
        return found, print_c(found.body, found.plan, f"{exported.name}_loops")

    return around_loops(exported, *written(exported.recorded, printed))


def around_loops(exported: Exported, loops: Scheduled, text: str) -> Source:
    """Render the C function that copies inputs in, calls the loops, and copies results out.

    Parameters
    ----------
    exported : Exported
        The program.
    loops : Scheduled
        Its loops.
    text : str
        The source or the declaration of the function ``NAME_loops``.
    """
    memory, name, results = loops.plan.initial_memory(), exported.name, len(exported.outputs)
    is_large = len(memory) > MAX_STACK_NUMBERS
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
    """Render the initializer of memory: numbers other than 0 with their indices."""
    (indices,) = memory.view(np.int64).nonzero()
    numbers = ", ".join(f"[{k}] = {number_text(memory[k])}" for k in indices)
    return f" = {{\n{textwrap.fill(numbers or '0.0', 100)}}}"


# The header ---------------------------------------------------------------------------------------


def header(exported: Exported, static_size: int, target: str = "") -> str:
    """Render the header.

    Parameters
    ----------
    exported : Exported
        The program.
    static_size : int
        Size of its static memory, in numbers.
    target : str
        The processor that the machine code is for; "" for C.
    """
    outputs = [*exported.outputs, *["whether the recorded branch was taken"] * exported.is_guarded]
    return _HEADER.format(
        name=exported.name,
        upper=exported.name.upper(),
        version=__version__,
        inputs=len(exported.inputs),
        outputs=len(outputs),
        note=_NOTE if exported.is_guarded else "",
        memory=_MEMORY.format(bytes=8 * static_size) if static_size else "",
        target=_TARGET.format(target=target) if target else "",
        ins=_format_layout(exported.inputs),
        outs=_format_layout(outputs),
    )


def _format_layout(names: Sequence[str]) -> str:
    lines = [line.replace("*/", "* /").replace("/*", "/ *") for line in layout(names)]
    return "\n".join(f" *   {line}" for line in lines or ["none"])


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
    program = exported(compiled, name, args, kwargs)
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


def machine_code(exported: Exported, suffix: str) -> dict[str, bytes]:
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
