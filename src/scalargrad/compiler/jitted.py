"""`jit`, and the function that it returns, which is traced at its first call.

A call is converted to a key and numbers; a program for the key runs on the numbers, and the result
is built from its outputs:

    f(Value(2.0), [1.0, 3.0])     arguments
    key: Value, list of 2         the same key for other numbers
    2.0, 1.0, 3.0                 inputs of the program
"""

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

from scalargrad.checks.arguments import check_flag, check_list
from scalargrad.checks.numbers import is_real
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.backend.callbacks import CallbackError
from scalargrad.compiler.call.arguments import Key
from scalargrad.compiler.call.call_signature import Signature, static_of
from scalargrad.compiler.call.output import Result
from scalargrad.compiler.call.record_call import UnrecordedError
from scalargrad.compiler.call.specialization import Call, Specialization
from scalargrad.compiler.call.specializations import Specializations
from scalargrad.compiler.guards.object_state import is_object
from scalargrad.compiler.jit_mode import disable_jit, is_jit_disabled, jit_mode, mode_here
from scalargrad.compiler.trace.side_effects import Snapshot
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.engine.autodiff import gradients
from scalargrad.engine.graph import topological_order
from scalargrad.engine.recorder import active_modes
from scalargrad.engine.tree import children, flatten
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError, TraceError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import collector_paused
from scalargrad.system.short_repr import format_value, pluralize

if TYPE_CHECKING:
    from pathlib import Path as File

    from scalargrad.compiler.nests.nested import Nested


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")

#: Number of timed calls, of which the shortest is reported.
_RUNS = 7


class Explanation(str):
    """Text about a compiled function, whose `repr` is the text itself.

    Attributes
    ----------
    code : str
        The LLVM IR of the program.
    """

    __slots__ = ("code",)

    code: str

    def __repr__(self) -> str:
        return str(self)


class Jitted(Generic[P, R]):
    """A compiled function, which is traced at its first call and then runs as a program.

    Created by `jit`, and called like the original function, which is its ``__wrapped__``.
    `explain` shows its program. As a method, it binds to the instance. It can be copied and
    pickled.
    """

    #: All other attributes were added by users, and guards compare them.
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
        """Return the specializations of the function: one for each traced branch.

        Those for arguments of one structure are adjacent, the latest first.
        ``path.function.recorded`` is the traced program, and ``path.function.values.nests`` the
        compiled one.
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
        """Run the program for these arguments; trace it first if there is none."""
        if active_modes or self.is_checked or mode_here() != "on":
            mode = mode_here()
            if mode == "off" or current_trace() is not None:
                return self.__wrapped__(*args, **kwargs)
            if mode == "check" or (self.is_checked and mode != "program"):
                return checked(self, args, kwargs)  # type: ignore[no-any-return]
        key, leaves, objects = self.signature(args, kwargs)
        call = self, args, kwargs, key, leaves, objects
        try:
            for path in self._kept.current(key, objects):
                run = path.run(call)
                if run is not None:
                    break
            else:
                traced = self._trace_and_run(call)
                if traced is None:
                    return self.__wrapped__(*args, **kwargs)
                path, run = traced
        except CallbackError:
            run = None
        if run is None:  # the eager call raises the error, if it applies the operation at all
            return self.__wrapped__(*args, **kwargs)
        found, finite = run
        if finite:
            return path.result(found)  # type: ignore[no-any-return]
        return self._not_finite(path, args, kwargs)

    def _not_finite(self, path: Specialization, args: Any, kwargs: Any) -> R:
        """Call the function eagerly, for its error, or for the graph of an inf or nan."""
        result = self.__wrapped__(*args, **kwargs)
        self._kept.limits.note_not_finite(self, path.recorded)
        return result

    def _trace_and_run(self, call: Call) -> Any:
        """Trace and run a specialization; return both, or None if the call must be made eagerly.

        That is the case if there are too many branches, or if a comparison is so close that, by
        rounding, the program decides differently from the trace. If the function raises an error,
        it is called eagerly for the error with its full message.
        """
        with collector_paused():  # once, instead of once for each pass
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
            before.undo()  # the eager call succeeded, but the function cannot be traced
            unrecorded.refuse(self)
        return unrecorded.explain()

    def repeated(self) -> Callable[..., R]:
        """Return this function for calls between which no other code runs.

        Its captured state is compared once for each structure of arguments, not at each call.
        """
        if current_trace() is not None or is_jit_disabled():
            return self.__wrapped__
        valid: dict[Key, tuple[Specialization, ...]] = {}

        def called(*args: Any) -> R:
            call = _, _, _, key, _, objects = self.call_of(args, {})
            if objects or key not in valid:
                valid[key] = self._kept.current(key, objects)
            with suppress(CallbackError):
                for path in valid[key]:
                    run = path.run(call)
                    if run is not None and run[1]:
                        return path.result(run[0])  # type: ignore[no-any-return]
            valid.clear()  # the call is traced, or made eagerly: other code runs
            return self(*args)  # type: ignore[call-arg]

        return called

    def paths(self, *args: Any) -> tuple[Specialization, ...]:
        """Return the valid specializations for arguments of this structure."""
        key, _, objects = self.signature(args, {})
        return self._kept.current(key, objects)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Return a description of the program for these arguments, and the time of a call.

        Returns
        -------
        Explanation
            Text, with the LLVM IR of the program as its attribute ``code``.

        Raises
        ------
        TraceError
            If calls with these arguments are evaluated eagerly.
        MissingPackageError
            If llvmlite is not installed.

        Examples
        --------
        >>> from scalargrad import jit
        >>> @jit
        ... def f(x, y):
        ...     return (x + y) * x
        >>> print(f.explain(2.0, 3.0).splitlines()[0])
        f: 4 nodes traced, compiled to 2 statements in 0 loops
        """
        with optional_dependency("explain needs"):
            import llvmlite  # noqa: F401
        path, _ = self.path_of(args, kwargs)
        function = path.function
        runners = {"forward": function.values}
        if len(function.moving) == 1 and path.differentiable:
            runners["forward and backward"] = function.along[1]
        traced = pluralize(path.recorded, "node")
        lines = [f"{path.name}: {traced} traced, compiled to {_size(function.values.nests)}"]
        codes = []
        for name, runner in runners.items():
            nests = runner.nests
            memory = f"{nests.cells * 8:,} bytes of memory"
            lines.append(f"{name}: {_size(nests)}, {memory}")
            lines.append(f"  compiled as {nests.choice.form}")
            lines += [f"  not as {form}: {why}" for form, why in nests.choice.rejected]
            lines += [f"  {line}" for line in nests.listing.splitlines()]
            codes.append(nests.module.text())
            lines += [f"  calls {x.operation} in Python" for x in nests.callbacks]
        if not path.draws:  # a call would advance the generators
            call = functools.partial(self, *args, **kwargs)
            seconds = min(timeit.repeat(call, timer=time.perf_counter, number=1, repeat=_RUNS))
            lines.append(
                f"time of a call: {seconds * 1e6:,.1f} µs, including the conversion of arguments "
                "and results"
            )
        explanation = Explanation("\n".join(lines))
        explanation.code = "\n".join(codes)
        return explanation

    def export(self, path: str | os.PathLike[str], *args: P.args, **kwargs: P.kwargs) -> list[File]:
        """Write the program for arguments like these to a file of C or machine code.

        Parameters
        ----------
        path : str or path
            The suffix chooses the format. ``.c``: a function in C99, with a header of the same
            name. ``.o`` or ``.so``: machine code for this processor, with the same header, compiled
            by the C compiler of the system; `scalargrad.export.load` loads a ``.so``. The stem is
            the name of the function.
        *args, **kwargs
            An example of the arguments. Their numbers are the inputs of the function; for Values
            among them, the derivatives of each result are outputs, too.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        TraceError
            If the function draws random numbers, uses custom operations, or is evaluated eagerly
            for these arguments.
        OperandError
            If the path has another suffix, or its stem is not a valid name in C; for ``.o`` and
            ``.so``, if there is no C compiler.

        Notes
        -----
        Everything else, such as captured Values or the parameters of a model, becomes a constant,
        with its present number. If the function branches on its arguments, or could leave the
        domain of an operation unnoticed, the last output is 1 for numbers that take the traced
        branch; otherwise it is 0, and all other outputs are nan.

        Examples
        --------
        >>> from scalargrad import Value, jit
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     files = jit(lambda x: x * x).export(f"{folder}/square.c", Value(3.0))
        ...     [file.name for file in files]
        ['square.c', 'square.h']
        """
        from scalargrad.compiler.export_c.files import write

        return write(self, path, args, kwargs)

    def call_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Return the call with these arguments."""
        return self, args, kwargs, *self.signature(args, kwargs)

    def path_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Specialization, Call]:
        """Return the specialization for a call with these arguments, and the call.

        If there is none, the call is traced.

        Raises
        ------
        TraceError
            If calls with these arguments are evaluated eagerly.
        """
        call = self.call_of(args, kwargs)
        for path in self._kept.current(call[3], call[5]):
            if has_llvm() and path.fits(call):  # which runs it
                return path, call
        try:
            traced = self._kept.record(call, at_once=True)
        except UnrecordedError as failed:
            failed.explain()
        if traced is None:
            raise TraceError(
                f"{self!r} is evaluated eagerly for these arguments, so there is no program to "
                "explain or to export: the JitWarning of its first eager call says why"
            )
        return traced, call

    def record_elementwise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Specialization:
        """Return a new specialization in which each number of arguments and result has a node.

        It is not cached.
        """
        try:
            return self._kept.record_elementwise(self.call_of(args, kwargs))
        except UnrecordedError as failed:
            failed.explain()

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Return its name in its module, like a function; otherwise its parts."""
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
        """Return a description of the program for these arguments; see `Jitted.explain`."""
        return self.func.explain(*self.args, *args, **self.keywords, **kwargs)  # type: ignore[attr-defined, no-any-return]

    def export(self, path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> list[File]:
        """Write the program for arguments like these to a file; see `Jitted.export`."""
        return self.func.export(path, *self.args, *args, **self.keywords, **kwargs)  # type: ignore[attr-defined, no-any-return]


def _size(nests: Nested) -> str:
    """Format the size of a compiled program."""
    return f"{pluralize(nests.steps, 'statement')} in {pluralize(nests.loops, 'loop')}"


# Check mode ---------------------------------------------------------------------------------------

#: Maximum difference of a number, relative to itself.
RELATIVE = 1e-9
#: Maximum difference of a number, relative to the largest number from which it is computed.
OF_LARGEST = 1e-12

Differ = Callable[[str], None]


def checked(compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of a compiled call, after comparing it with that of an eager call.

    The second call draws the same random numbers. The gradients of each result with respect to the
    Values that it depends on are compared as well.

    Parameters
    ----------
    compiled : Jitted
    args, kwargs
        The arguments of the call.

    Raises
    ------
    TraceError
        If a number, a gradient or the structure of the result differs, or only one of the two
        calls raises an error; the message says where.
    """
    before = Snapshot([compiled.__wrapped__, args, kwargs])
    with jit_mode("program"):
        found = compiled(*args, **kwargs)
    before.generators.rewind()

    def differ(what: str, cause: Exception | None = None) -> NoReturn:
        raise TraceError(
            f"{compiled!r} {what}: the function reads or changes something that jit does not "
            "compare; pass it as an argument, or call the function without jit"
        ) from cause

    def confirm(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        try:
            with disable_jit():
                expected = compiled.__wrapped__(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the program raised none
            differ(f"returns a result, but eager code raises {type(error).__name__}", error)
        for where, x, y in _pairs(found, expected, "its result", differ):
            _compare(where, x, y, differ)

    try:
        confirm(args, kwargs)
    except TraceError as refusal:
        try:  # with Values as arguments, which know from what a derivative near 0 is computed
            leaves, rebuild = flatten([args, kwargs], "the arguments")
            confirm(*rebuild(Value(x) if isinstance(x, float) else x for x in leaves))
        except Exception:  # noqa: BLE001 - the function need not take Values
            raise refusal from refusal.__cause__
    return found


def _compare(where: str, found: Any, expected: Any, differ: Differ) -> None:
    """Compare a number or Value of a result, and its gradients."""
    x, y = (float(v.data) if isinstance(v, Value) else float(v) for v in (found, expected))
    nodes = topological_order(expected) if isinstance(expected, Value) else []
    largest = max((abs(node.data) for node in nodes), default=abs(y))
    if not _agree(x, y, largest):
        differ(f"computes {x!r} for {where}, but eager code {y!r}")
    if not (isinstance(found, Value) and isinstance(expected, Value)) or found is expected:
        return
    known, compiled = {*nodes}, isinstance(found, Result)  # others have interior nodes
    parents = [x for x in found.parents if isinstance(x, Value)]
    by = [x for x in parents if x in known or (compiled and x.op is None)]
    if not all(math.isfinite(parent.data) for parent in by):
        return  # a derivative there is 0 or nan, depending on the other factors
    ours = gradients(found, by, allow_nonfinite=True)
    theirs = gradients(expected, by, allow_nonfinite=True)
    steepest = max(map(abs, theirs), default=0.0)
    for parent, dx, dy in zip(by, ours, theirs, strict=True):
        is_near = _agree(dx, dy, steepest * RELATIVE / OF_LARGEST)
        if not (is_near or _agree(dx, dy, _magnitudes(nodes)[parent])):
            name = parent.label or "a Value"
            differ(
                f"computes the gradient {dx!r} of {where} with respect to {name}, but eager code "
                f"{dy!r}"
            )


def _magnitudes(nodes: Sequence[Value]) -> dict[Value, float]:
    """Return, for each node, the sum of the magnitudes of the terms of its adjoint.

    There is one term for each path from the last node to it.
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
    """Yield pairs of numbers of two results, with the place of each for messages."""
    if isinstance(x, Value) or is_real(x):
        if not (isinstance(y, Value) or is_real(y)):
            differ(f"returns a number as {where}, but eager code a {type(y).__name__}")
        yield where, x, y
        return
    a, b = dict(children(x) or ()), dict(children(y) or ())
    if type(x) is not type(y) or a.keys() != b.keys():
        differ(f"returns a different {type(y).__name__} as {where} from eager code")
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
    """Compile a function of scalars: trace it once, and run it as vector instructions.

    Parameters
    ----------
    function : callable
        Its arguments are numbers and Values, lists, tuples, dicts and arrays of them, and modules
        and other objects that contain them. The numbers and Values are read at each call; all other
        properties of an argument, such as a length, a key or a text, are part of the program. Its
        result is any nesting of numbers and Values. A module can be the function itself.
    static_argnums : int or sequence of int
        Positional arguments that are part of the program, such as a number of steps or a power.
        The function is traced again for each of their values.
    static_argnames : str or sequence of str
        The same for keyword arguments.
    check : bool
        Whether to make each call eagerly as well, and to raise TraceError if a number or a gradient
        differs by more than 1e-9 of itself and 1e-12 of the largest number from which it is
        computed. ``SCALARGRAD_JIT=check`` does so for all compiled functions of a process.

    Returns
    -------
    Jitted
        Called like `function`. A result is a Value if it depends on a Value among the arguments or
        captured by `function`; otherwise it is a float, a bool or an array. Each Value returned is
        a single node, whose operands are the Values that it depends on.

    Raises
    ------
    TraceError
        When called, if `function` does something that a program cannot repeat: it reads ``.data``,
        ``.grad`` or the graph of a Value, calls ``float``, ``int`` or ``backward``, draws random
        numbers other than by `drawn`, looks a number up in a set or a dict, computes in another
        thread, or changes an argument or captured state.

    Warns
    -----
    JitWarning
        Once for each reason. Calls take more than 4 different branches, at the sixth call at the
        latest if each takes another one; calls that take further branches are evaluated eagerly.
        5 calls are evaluated eagerly because a `while_loop` or a root takes more steps than the
        calls that were compiled. Calls in which a number is not finite, which are evaluated
        eagerly, have taken 100,000 operations. The function is traced 4 times because its captured
        state changes, or a function or object among its arguments, or an integer in a dataclass;
        further calls are evaluated eagerly, for arguments after 16 traces. A number that changes
        from call to call should be a Value or an argument. Once in a process, if llvmlite is not
        installed: all calls are then evaluated eagerly.

    See Also
    --------
    Jitted.explain : describe the program, and measure the time of a call.
    disable_jit : evaluate eagerly, to print or to debug; for a process, ``SCALARGRAD_JIT=off``.
    vmap : trace one example of many.
    scan : repeat a step, each time on the state that the last one returned.

    Notes
    -----
    Values that `function` captures are read at each call, even if a variable, attribute or item has
    another Value by then; the same is true of functions that it calls. All other captured state
    that it may read (numbers, flags, lists, sets, arrays) is compared at each call, and a change
    traces the function again. Random numbers are drawn by `drawn` at each call, the same that an
    eager call would draw. Clocks, files and other state of the process are refused when the
    function reads them, as the page 'The contract of jit' says.

    ``isinstance(x, float)``, ``type(x)`` and ``match`` give the results of eager code, and the
    types of the arguments that they depend on are then compared at each call. A condition on a
    number computed from the arguments is checked at each call; if it is different, the other branch
    is traced, too. Called while another function is being traced, a compiled function becomes part
    of that program.

    Results agree with eager ones up to rounding: more than eight terms of a sum ``a + b + c + …``
    may be added in another order, and a product may be rounded together with the sum that it is
    added to. Parentheses are respected. Interior numbers of a finite result may overflow in one of
    the two and not in the other. A number has the same digits computed alone, in a batch of any
    size or on a lane of `vmap`, by any number of threads. But an expression of shared numbers alone
    is computed and rounded once under `vmap`, and a longer list may run as loops, which can change
    last digits. exp, log, expm1, log1p, tanh, sigmoid, erf, sin and cos are within
    2 units in the last place; other functions are those of the C library, and custom operations are
    called in Python. A call is made eagerly if a result or gradient is not finite, or if it leaves
    the domain of an operation, so errors name the same node. Results are floats, even of integers;
    comparisons are bools.

    Tracing takes some milliseconds per thousand nodes, once for each structure of arguments, and
    compiling some tenths of a second, once; the machine code is cached on disk for later processes
    and shared by programs. Programs for the latest structures are cached, for 1,024 of small
    programs, with four million nodes in all. A call with long lists of floats spends most of its
    time on converting them: NumPy arrays are passed whole, and `scan` keeps the carry in the
    memory of the program.

    Needs the extra ``[jit]``. Without llvmlite, functions are evaluated eagerly, with one warning.

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
    checks = check_flag(check, "check")

    def compiled(found: Callable[..., Any]) -> Any:
        return Jitted(found, static_of(found, numbers, names), check=checks)

    return compiled if function is None else compiled(function)


def _several(given: Any, name: str, kind: type) -> list[Any]:
    """Return a list of argument numbers or names; a single one need not be in a list."""
    what = f"{kind.__name__}s"
    found = [given] if isinstance(given, kind) else check_list(given, name, what, ordered=False)
    for x in found:
        if not isinstance(x, kind) or isinstance(x, bool):
            raise OperandError(
                f"{name} has {format_value(x)}, of type {type(x).__name__}; give {kind.__name__}s"
            )
    return found
