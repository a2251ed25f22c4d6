"""The function that `jit` returns: recorded at its first call, run as a program from then on."""

from __future__ import annotations

import functools
import math
import os
import pkgutil
import sys
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar, overload

from scalargrad.checks.arguments import flag, listed
from scalargrad.checks.numbers import is_real
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.call.arguments import Key
from scalargrad.compiler.call.call_signature import Signature, static_of
from scalargrad.compiler.call.output import Result
from scalargrad.compiler.call.record_call import UnrecordedError
from scalargrad.compiler.call.specialization import Call, Specialization
from scalargrad.compiler.call.specializations import Specializations
from scalargrad.compiler.guards.object_state import is_object
from scalargrad.compiler.jit_mode import disable_jit, is_jit_disabled, jit_mode, mode_here
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.trace.side_effects import Snapshot
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.engine.autodiff import gradients
from scalargrad.engine.graph import topological_order
from scalargrad.engine.recorder import active_modes
from scalargrad.engine.tree import children, flatten
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError, TraceError
from scalargrad.system.process import collector_paused
from scalargrad.system.short_repr import format_value

if TYPE_CHECKING:
    from pathlib import Path as File


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")

#: The number of times that a call is timed; the shortest time is reported.
_RUNS = 7


class Explanation(str):
    """Text about a compiled function, shown as it is printed.

    Attributes
    ----------
    code : str
        The LLVM IR of the program; empty where NumPy runs it.
    """

    __slots__ = ("code",)

    code: str

    def __repr__(self) -> str:
        return str(self)


class Jitted(Generic[P, R]):
    """A function that records itself on its first call and then runs as a program.

    Made by `jit`, and called like the function it was made of, which is its ``__wrapped__``.
    `explain` shows what was recorded. As a method, it binds to the instance. It can be copied and
    pickled.
    """

    #: Attributes besides these are what users have added, which guards compare.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_kept",
        "_remember",
        "is_checked",
        "signature",
        "static",
    )
    __wrapped__: Callable[P, R]

    def __init__(
        self,
        function: Callable[P, R],
        static: frozenset[int | str] = frozenset(),
        *,
        check: bool = False,
    ) -> None:
        functools.update_wrapper(self, function)
        self.is_checked = check
        self.static = static  # positions and names of arguments
        self._kept = Specializations(function)
        #: Returns the key of a call, and the numbers and objects among its arguments.
        self.signature = (signature := Signature(function, static)).of
        self._remember = signature.remember

    def all_paths(self) -> list[Specialization]:
        """Return what its calls have recorded: a path for each way that they went.

        Those for arguments of one shape together, the latest first. ``path.function.recorded`` is
        the program as it was recorded, and ``path.function.values.nests`` what a call runs.
        """
        return [path for shape in self._kept.shapes.values() for path in shape.all_paths()]

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.__wrapped__, '__qualname__', self.__wrapped__)}>"

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Jitted[P, R]: ...
    @overload
    def __get__(
        self: Jitted[Concatenate[T, Q], R], instance: T, owner: type | None = None
    ) -> Bound[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else Bound(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the program for these arguments, recording it if there is none yet."""
        if active_modes or self.is_checked or mode_here() != "on":
            mode = mode_here()
            if mode == "off" or current_trace() is not None:
                return self.__wrapped__(*args, **kwargs)
            if mode == "check" or (self.is_checked and mode != "program"):
                return checked(self, args, kwargs)  # type: ignore[no-any-return]
        key, leaves, objects = self.signature(args, kwargs)
        call = self, args, kwargs, key, leaves, objects
        for path in self._kept.current(key, objects):
            run = path.run(call)
            if run is not None:
                break
        else:
            anew = self._run_anew(call)
            if anew is None:
                return self.__wrapped__(*args, **kwargs)
            path, run = anew
        found, finite = run
        if finite:
            return path.result(found)  # type: ignore[no-any-return]
        return self._not_finite(path, args, kwargs)

    def _not_finite(self, path: Specialization, args: Any, kwargs: Any) -> R:
        """Call eagerly: for its error, or the graph of an inf or nan."""
        result = self.__wrapped__(*args, **kwargs)
        self._kept.limits.note_not_finite(self, path.recorded)
        return result

    def _run_anew(self, call: Call) -> Any:
        """Record a path and run it; return both, or None if the call must be made eagerly.

        That is the case if there are too many paths, or if a comparison is so close that rounding
        makes the program decide otherwise than the recording. If the function raises an error, it
        is called eagerly for the error with its full message.
        """
        with collector_paused():  # a single pause: else there is a search after each pass
            try:
                path = self._kept.record(call, at_once=mode_here() == "program")
                if path is None:
                    return None
                run = path.run(call)  # which compiles it
                self._kept.limits.note_end()
                self._remember(call[1], call[2])
                return None if run is None else (path, run)
            except UnrecordedError as failed:
                unrecorded = failed
        if unrecorded.is_repeatable:
            _, args, kwargs, *_ = call
            before = Snapshot([self.__wrapped__, args, kwargs], numbers=True)
            self.__wrapped__(*args, **kwargs)
            before.undo()  # it has run all through, and yet the call is refused
        return unrecorded.explain()

    def repeated(self) -> Callable[..., R]:
        """Return this function for calls between which no other code runs.

        What it closes over is compared once for each shape of arguments, not at each call.
        """
        if current_trace() is not None or is_jit_disabled():
            return self.__wrapped__
        valid: dict[Key, tuple[Specialization, ...]] = {}

        def called(*args: Any) -> R:
            call = _, _, _, key, _, objects = self.call_of(args, {})
            if objects or key not in valid:
                valid[key] = self._kept.current(key, objects)
            for path in valid[key]:
                run = path.run(call)
                if run is not None and run[1]:
                    return path.result(run[0])  # type: ignore[no-any-return]
            valid.clear()  # recorded anew, or evaluated eagerly: other code runs
            return self(*args)  # type: ignore[call-arg]

        return called

    def paths(self, *args: Any) -> tuple[Specialization, ...]:
        """Return the recorded paths for arguments of this shape that are still valid."""
        key, _, objects = self.signature(args, {})
        return self._kept.current(key, objects)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Say what was recorded and compiled for these arguments, and how long a call takes.

        Returns
        -------
        Explanation
            Text, with the LLVM IR of the program as its attribute ``code``.

        Examples
        --------
        >>> from scalargrad import jit
        >>> @jit
        ... def f(x, y):
        ...     return (x + y) * x
        >>> print(f.explain(2.0, 3.0).splitlines()[0])
        f: 4 nodes recorded, found as 2 steps of 0 loops
        """
        path, _ = self.taken(args, kwargs)
        function = path.function
        runners = {"forward": function.values}
        if len(function.moving) == 1 and path.differentiable:
            runners["forward and backward"] = function.along[1]
        found = function.values.nests
        as_loops = f"found as {found.steps} steps of {found.loops} loops"
        lines = [f"{path.name}: {path.recorded} nodes recorded, {as_loops}"]
        codes = []
        for name, runner in runners.items():
            nests = runner.nests
            size = f"{nests.steps} steps of {nests.loops} loops, {nests.cells * 8} bytes"
            lines.append(f"{name}: {size}")
            lines.append(f"  compiled as {nests.choice.form}")
            lines += [f"  not as {form}: {why}" for form, why in nests.choice.rejected]
            lines += [f"  {line}" for line in nests.listing.splitlines()]
            codes += [nests.module.text()] if isinstance(nests, Nested) else []
        lines.append(f"run by {'machine code' if has_llvm() else 'NumPy'}")
        if not path.draws:  # a call would move the generators
            call = functools.partial(self, *args, **kwargs)
            seconds = min(timeit.repeat(call, timer=time.perf_counter, number=1, repeat=_RUNS))
            lines.append(
                f"time of a call: {seconds * 1e6:,.1f} µs, with its arguments read and results made"
            )
        explanation = Explanation("\n".join(lines))
        explanation.code = "\n".join(codes)
        return explanation

    def export(self, path: str | os.PathLike[str], *args: P.args, **kwargs: P.kwargs) -> list[File]:
        """Write the program for such arguments to a file of C or machine code.

        Parameters
        ----------
        path : str or path
            The suffix chooses the format. ``.c``: a function in C99, with a header of the same
            name. ``.o`` or ``.so``: machine code for this processor, with the same header, made by
            the C compiler of the system; `scalargrad.export.load` calls a ``.so``. The stem is the
            name of the function.
        *args, **kwargs
            An example of the arguments. Their numbers are the inputs of the function; for those
            that are Values, the derivatives of each result are written, too.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        TraceError
            If the function draws random numbers, holds custom operations, or is evaluated eagerly
            for these arguments.
        OperandError
            If the path has another suffix, or its stem is not a valid name in C; for ``.o`` and
            ``.so``, if there is no C compiler.

        Notes
        -----
        Everything else, such as Values that the function closes over or the parameters of a model,
        is written with its present number. If the function branches on its arguments, or could
        leave the domain of an operation unnoticed, the last output is 1 where the numbers take the
        recorded path; elsewhere it is 0, and all other outputs are nan.

        Examples
        --------
        >>> from scalargrad import Value, jit
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     files = jit(lambda x: x * x).export(f"{folder}/square.c", Value(3.0))
        ...     [file.name for file in files]
        ['square.c', 'square.h']
        """
        from scalargrad.export.files import write

        return write(self, path, args, kwargs)

    def call_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Return a call with these arguments."""
        return self, args, kwargs, *self.signature(args, kwargs)

    def taken(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Specialization, Call]:
        """Return a call with these arguments, and the path it takes, recorded if need be.

        Raises
        ------
        TraceError
            If calls with these arguments are evaluated eagerly.
        """
        call = self.call_of(args, kwargs)
        for path in self._kept.current(call[3], call[5]):
            if path.fits(call):
                return path, call
        try:
            anew = self._kept.record(call, at_once=True)
        except UnrecordedError as failed:
            failed.explain()
        if anew is None:
            raise TraceError(
                f"{self!r} is evaluated eagerly for these arguments, so it has no program to show "
                "or to export: see the JitWarning of its first such call"
            )
        return anew, call

    def record_elementwise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Specialization:
        """Return a new path, not kept, in which each number given or returned has its own node."""
        try:
            return self._kept.record_elementwise(self.call_of(args, kwargs))
        except UnrecordedError as failed:
            failed.explain()

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Return its name in its module, as of a function; else what it is made of."""
        if not is_object(self.__wrapped__):
            name = str(getattr(self, "__qualname__", ""))
            with suppress(ImportError, AttributeError, ValueError):
                if pkgutil.resolve_name(f"{self.__module__}:{name}") is self:
                    return name
            for name, x in vars(sys.modules.get(self.__module__, object)).items():
                if x is self:
                    return name
        return functools.partial(Jitted, check=self.is_checked), (self.__wrapped__, self.static)


class Bound(functools.partial[R], Generic[Q, R]):
    """A compiled method of an object."""

    if TYPE_CHECKING:

        def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R:
            """Call the method."""

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Show what was recorded and compiled for these arguments; see `Jitted.explain`."""
        return self.func.explain(*self.args, *args, **self.keywords, **kwargs)  # type: ignore[attr-defined, no-any-return]

    def export(self, path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> list[File]:
        """Write the program for such arguments to a file; see `Jitted.export`."""
        return self.func.export(path, *self.args, *args, **self.keywords, **kwargs)  # type: ignore[attr-defined, no-any-return]


# Check mode ---------------------------------------------------------------------------------------

#: How far a number may differ: relative to itself, and to the largest number on the way to it.
RELATIVE, OF_LARGEST = 1e-9, 1e-12

Differ = Callable[[str], None]


def checked(compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of a compiled call that an eager call has confirmed.

    Generators are set back between the two. Gradients of each
    result by the Values it depends on are compared as well.

    Parameters
    ----------
    compiled : Jitted
    args, kwargs
        The arguments of the call.

    Raises
    ------
    TraceError
        If a number, a gradient or the form of the result differs, or only one of the two is an
        error; the message says where.
    """
    before = Snapshot([compiled.__wrapped__, args, kwargs])
    with jit_mode("program"):
        found = compiled(*args, **kwargs)
    before.generators.rewind()

    def differ(what: str, cause: Exception | None = None) -> NoReturn:
        raise TraceError(
            f"{compiled!r} {what}: it reads something that jit does not compare, or changes it; "
            "pass that as an argument, or call the function without jit"
        ) from cause

    def confirm(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        try:
            with disable_jit():
                expected = compiled.__wrapped__(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whichever it is, the program raised none
            differ(f"returned a result where eager code raises {type(error).__name__}", error)
        for where, x, y in _pairs(found, expected, "its result", differ):
            _compare(where, x, y, differ)

    try:
        confirm(args, kwargs)
    except TraceError as refusal:
        try:  # with Values for numbers: from what a slope near 0 was computed, they know
            leaves, rebuild = flatten([args, kwargs], "the arguments")
            confirm(*rebuild(Value(x) if isinstance(x, float) else x for x in leaves))
        except Exception:  # noqa: BLE001 - it need not take Values
            raise refusal from refusal.__cause__
    return found


def _compare(where: str, found: Any, expected: Any, differ: Differ) -> None:
    """Compare a number or Value of a result, and its gradients."""
    x, y = (float(v.data) if isinstance(v, Value) else float(v) for v in (found, expected))
    nodes = topological_order(expected) if isinstance(expected, Value) else []
    largest = max((abs(node.data) for node in nodes), default=abs(y))
    if not _agree(x, y, largest):
        differ(f"computes {x!r} for {where}, and eager code {y!r}")
    if not (isinstance(found, Value) and isinstance(expected, Value)) or found is expected:
        return
    known, compiled = {*nodes}, isinstance(found, Result)  # another has nodes of its own on the way
    parents = [x for x in found.parents if isinstance(x, Value)]
    by = [x for x in parents if x in known or (compiled and x.op is None)]
    if not all(math.isfinite(parent.data) for parent in by):
        return  # a slope there is 0 or nan by what it is multiplied with on the way
    ours = gradients(found, by, allow_nonfinite=True)
    theirs = gradients(expected, by, allow_nonfinite=True)
    steepest = max(map(abs, theirs), default=0.0)
    for parent, dx, dy in zip(by, ours, theirs, strict=True):
        is_near = _agree(dx, dy, steepest * RELATIVE / OF_LARGEST)
        if not (is_near or _agree(dx, dy, _magnitudes(nodes)[parent])):
            name = parent.label or "a Value"
            differ(f"computes the gradient {dx!r} of {where} by {name}, and eager code {dy!r}")


def _magnitudes(nodes: Sequence[Value]) -> dict[Value, float]:
    """Return, for each node, the sum of the magnitudes of which a gradient by it is the sum.

    That is over all ways from the last node to it.
    """
    found = dict.fromkeys(nodes, 0.0) | {nodes[-1]: 1.0}
    for node in reversed(nodes):
        for x, local in zip(node.parents, node.local_grads, strict=True):
            if isinstance(x, Value) and local is not None:
                found[x] = found.get(x, 0.0) + found[node] * abs(local)
    return found


def _agree(x: float, y: float, largest: float) -> bool:
    limit = OF_LARGEST * largest if math.isfinite(largest) else 0.0
    are_nan = math.isnan(x) and math.isnan(y)
    return are_nan or math.isclose(x, y, rel_tol=RELATIVE, abs_tol=limit)


def _pairs(x: Any, y: Any, where: str, differ: Differ) -> Iterator[tuple[str, Any, Any]]:
    """Yield the numbers of two results side by side, with where they stand."""
    if isinstance(x, Value) or is_real(x):
        if not (isinstance(y, Value) or is_real(y)):
            differ(f"returns a number as {where}, and eager code a {type(y).__name__}")
        yield where, x, y
        return
    a, b = dict(children(x) or ()), dict(children(y) or ())
    if type(x) is not type(y) or a.keys() != b.keys():
        differ(f"returns another {type(y).__name__} as {where} than eager code")
    for key, part in a.items():
        yield from _pairs(part, b[key], f"{where}[{key!r}]", differ)


# The decorator ------------------------------------------------------------------------------------


@overload
def jit(
    *,
    static_argnums: int | Sequence[int] = ...,
    static_argnames: str | Sequence[str] = ...,
    check: bool = ...,
) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...
@overload
def jit(
    function: Callable[P, R],
    /,
    *,
    static_argnums: int | Sequence[int] = ...,
    static_argnames: str | Sequence[str] = ...,
    check: bool = ...,
) -> Jitted[P, R]: ...
def jit(
    function: Callable[..., Any] | None = None,
    /,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    check: bool = False,
) -> Any:
    """Record a function of scalars once, and run it as a program of vector instructions.

    Parameters
    ----------
    function : callable
        Its arguments are numbers and Values, lists, tuples, dicts and arrays of them, and modules
        and other objects that hold them. The numbers and Values are read at each call; all else
        about an argument, such as a length, a key or a text, is part of the program. Its result is
        any nesting of numbers and Values. A module may itself be the function.
    static_argnums : int or sequence of int
        Positional arguments that are part of the program, such as a number of steps or a power.
        The function is recorded anew for each of their values.
    static_argnames : str or sequence of str
        The same for keyword arguments.
    check : bool
        Whether to make each call eagerly as well, and to raise TraceError where a number or a
        gradient differs by more than 1e-9 of itself and 1e-12 of the largest on the way to it.
        ``SCALARGRAD_JIT=check`` does so for all compiled functions of a process.

    Returns
    -------
    Jitted
        Called as `function`. A result is a Value if it depends on a Value, among the arguments or
        closed over by `function`; else it is a float, a bool or an array. Each Value returned is a
        single node, whose operands are the Values it depends on.

    Raises
    ------
    TraceError
        When called, if `function` does what a program could not repeat: it reads ``.data``,
        ``.grad`` or the graph of a Value, calls ``float``, ``int`` or ``backward``, draws random
        numbers other than by `drawn`, looks a number up in a set or a dict, computes in another
        thread, or changes an argument or what it closes over.

    Warns
    -----
    JitWarning
        Once, if calls take more than 4 different paths through its conditions, at the sixth call if
        each takes another; calls that take further paths are evaluated eagerly. Once, if 5 calls
        are evaluated eagerly as a `while_loop` or a root takes more steps than the calls that were
        compiled. Once, if calls in which a number is not finite, which
        are evaluated eagerly, have taken 100,000 operations. Once, if it is recorded 4 times
        because what it closes over keeps changing, or a function or object that it is given, or an
        integer that a dataclass holds; further calls are evaluated eagerly, after 16 recordings if
        it was given. What changes from call to call should be a Value or an argument.

    See Also
    --------
    Jitted.explain : what was recorded and compiled, and where the time goes.
    disable_jit : evaluate eagerly, to print or to debug; for a process, ``SCALARGRAD_JIT=off``.
    vmap : record one example of many.
    scan : repeat a step, each time on the state that the last one returned.

    Notes
    -----
    Values that `function` captures are read at each call, even if a variable, attribute or item has
    another Value by then; the same is true of functions that it calls. All other captured state
    that it may read (numbers, flags, lists, sets, arrays) is compared at each call, and a change
    traces the function again. Random numbers are drawn by `drawn` at each call, the same that an
    eager call would draw. Clocks, files and other state of the process are refused when the
    function reads them, as the page 'The contract of jit' says.

    ``isinstance(x, float)``, ``type(x)`` and ``match`` answer as in eager code, and the types of
    the arguments that they depend on are then compared at each call. A condition on a number
    computed from the arguments is checked at each call; if it is different, the other path is
    traced, too. Called while another function is being traced, a compiled function becomes part of
    that program.

    Results agree with eager ones up to rounding: more than eight terms of a sum ``a + b + c + …``
    may be added in another order, and a product may be rounded together with the sum it is added
    to. Brackets stay. On the way to a finite result, one of the two may overflow where the other
    does not. A number has the same digits computed alone, in a
    batch of any size or on a lane of `vmap`, by any number of threads. But what depends on shared
    numbers alone is computed and rounded once under `vmap`, and a longer list may run as loops,
    which can change last digits. exp, log, expm1, log1p, tanh, sigmoid, erf, sin and cos are within
    2 units in the last place; other functions are those of the C library. A call is made eagerly if
    a result or gradient is not finite, or if it leaves the domain of an operation; errors therefore
    name the same node. Numbers come out as floats, even integers; comparisons come out as bools.

    Recording takes some milliseconds per thousand nodes, once for each shape of arguments, and
    compiling some tenths of a second, once; the machine code is kept on disk for later processes
    and shared by programs. The latest shapes are kept, of small programs 1,024, with four million
    nodes in all. A call with long lists of floats spends most of its time on taking them apart:
    NumPy arrays are passed whole, and `scan` keeps the carry in the program's memory.

    Needs the extra ``[jit]``. Without llvmlite, NumPy runs the same programs, more slowly.

    Examples
    --------
    >>> from scalargrad import Value
    >>> @jit
    ... def loss(w, points):
    ...     return sum((w * x - y) ** 2 for x, y in points)
    >>> w = Value(1.0)
    >>> y = loss(w, [(1.0, 2.0), (2.0, 4.0)])
    >>> y.backward()
    >>> y.data, w.grad
    (5.0, -10.0)
    """
    numbers = _several(static_argnums, "static_argnums", int)
    names = _several(static_argnames, "static_argnames", str)
    checks = flag(check, "check")

    def compiled(found: Callable[..., Any]) -> Any:
        return Jitted(found, static_of(found, numbers, names), check=checks)

    return compiled if function is None else compiled(function)


def _several(given: Any, name: str, kind: type) -> list[Any]:
    """Return a list of argument numbers or names, of which a single one may be given alone."""
    what = f"{kind.__name__}s"
    found = [given] if isinstance(given, kind) else listed(given, name, what, ordered=False)
    for x in found:
        if not isinstance(x, kind) or isinstance(x, bool):
            raise OperandError(
                f"{name} has {format_value(x)}, of type {type(x).__name__}; give {kind.__name__}s"
            )
    return found
