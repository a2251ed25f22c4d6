"""A compiled function: a program with its derivatives, each packed when first needed."""

from __future__ import annotations

import functools
import struct
from collections import deque
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from scalargrad.compiler.backend import choice
from scalargrad.compiler.backend.blocks import Blocked
from scalargrad.compiler.backend.choice import Executable, has_llvm
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.passes.differentiate import dependents, differentiate, steps
from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, PRODUCTS, Op
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.passes.pack import pack
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.segments import split
from scalargrad.compiler.passes.sum_of_products import sum_of_products

Inputs = list[float] | Floats

#: Machines kept idle for each program; each holds the program's memory once.
_IDLE = 4


#: So few results are followed back one by one.
_ONE_BY_ONE = 4


class Runner:
    """A packed program with the memories it runs in, one for each call under way."""

    def __init__(self, packed: Packed | Blocked) -> None:
        self.packed = packed
        self._idle: deque[tuple[Executable, Floats]] = deque(maxlen=_IDLE)
        self._write = struct.Struct(f"{packed.inputs}d").pack_into

    @property
    def outputs(self) -> slice:
        """The cells of the outputs."""
        return self.packed.outputs

    def executable(self) -> Executable:
        """Return a memory of its own with the program in it."""
        packed = self.packed
        return packed.executable() if isinstance(packed, Blocked) else choice.executable_for(packed)

    def __call__(self, inputs: Inputs) -> list[float]:
        """Run on `inputs` and return the outputs."""
        idle = self._ran(inputs)
        outputs: list[float] = idle[1].tolist()
        self.take_back(idle)
        return outputs

    def floats(self, inputs: Inputs) -> Floats:
        """Run on `inputs` and return the outputs as an array."""
        idle = self._ran(inputs)
        outputs = idle[1].copy()
        self.take_back(idle)
        return outputs

    def lend(self) -> tuple[Executable, Floats]:
        """Return a machine that nobody uses, and its outputs; `take_back` is for both."""
        try:
            return self._idle.pop()
        except IndexError:
            executable = self.executable()
            return executable, executable.memory[self.packed.outputs]

    def take_back(self, lent: tuple[Executable, Floats]) -> None:
        """Have what was lent ready for another."""
        self._idle.append(lent)

    def _ran(self, inputs: Inputs) -> tuple[Executable, Floats]:
        """Return a machine after a run, and its outputs."""
        executable, _ = idle = self.lend()
        if inputs.__class__ is list:
            self._write(executable.memory, 0, *inputs)  # type: ignore[arg-type]
        else:
            executable.memory[: self.packed.inputs] = inputs
        executable.run()
        return idle

    def memory_after(self, inputs: Inputs) -> Floats | None:
        """Return the memory as a run leaves it; None where parts have memories of their own."""
        if isinstance(self.packed, Blocked):
            return None
        executable = self.executable()
        executable.memory[: self.packed.inputs] = inputs
        executable.run()
        return executable.memory

    @property
    def parts(self) -> list[tuple[str, Packed]]:
        """The packed programs, by titles where there are several."""
        return self.packed.parts if isinstance(self.packed, Blocked) else [("", self.packed)]

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.packed,)


class LoopRunner(Runner):
    """A program of loops with the memories it runs in.

    Loops compute what no result depends on, too: where a result is not finite, it is computed
    without them.

    Parameters
    ----------
    program : Looped
    plain : callable
        Returns what runs the same program without loops.
    """

    packed: Looped  # type: ignore[assignment]

    def __init__(self, program: Looped, plain: Callable[[], Runner]) -> None:
        super().__init__(program)  # type: ignore[arg-type]
        self._made = plain

    @functools.cached_property
    def plain(self) -> Runner:
        """What runs the program without loops."""
        return self._made()

    @functools.cached_property
    def _code(self) -> Printed:
        return Printed(self.packed)

    def executable(self) -> Executable:
        """Return a memory of its own with the program in it."""
        return LoopExecutable(self._code)

    def __call__(self, inputs: Inputs) -> list[float]:
        """Run on `inputs` and return the outputs."""
        outputs = super().__call__(inputs)
        if isfinite(sum(outputs)) or all(map(isfinite, outputs)):
            return outputs
        return self.plain(inputs)

    def floats(self, inputs: Inputs) -> Floats:
        """Run on `inputs` and return the outputs as an array."""
        outputs = super().floats(inputs)
        return outputs if np.isfinite(outputs).all() else self.plain.floats(inputs)

    def memory_after(self, inputs: Inputs) -> Floats | None:
        """Return the memory as a run without loops leaves it."""
        return self.plain.memory_after(inputs)

    @property
    def parts(self) -> list[tuple[str, Packed]]:
        """The packed programs that would run without loops."""
        return self.plain.parts

    def __reduce__(self) -> tuple[Any, ...]:
        return LoopRunner, (self.packed, self._made)


def runner_for(program: Program) -> Runner:
    """Return what runs a program, flattened and derived."""
    lowered = sum_of_products(program, lower=True)
    segments = split(lowered)
    return Runner(pack(lowered) if segments is None else Blocked(segments))


class Function:
    """A program, its results, and their derivatives with respect to some inputs.

    Parameters
    ----------
    recorded : Program
        As recorded, or flattened. Its outputs are the results, then what is watched.
    results : int
        How many outputs are results.
    wrt : tuple of int
        The inputs to differentiate with respect to.
    """

    def __init__(self, recorded: Program, results: int, wrt: tuple[int, ...]) -> None:
        self.recorded = recorded
        self.results = results
        self.wrt = wrt
        self._gradients: dict[int, Function] = {}
        self._with_rows: dict[int, Runner] = {}
        #: The result whose gradient was last asked for, where several move: it is computed along
        #: at the next run, which spares a second one.
        self.lately: int | None = None

    @functools.cached_property
    def program(self) -> Program:
        """The program, flattened and derived."""
        recorded = self.recorded
        flat = recorded if PRODUCTS in recorded.nodes().table else sum_of_products(recorded)
        return differentiate(flat)

    @functools.cached_property
    def _followed(self) -> Program:
        """The program in which is found what depends on what: gradients have to be written out."""
        return (
            self.program if self.wrt and ADJOINT in self.recorded.nodes().table else self.recorded
        )

    def reached(self) -> tuple[bool, ...]:
        """Return which results depend on what the function is differentiated by."""
        return self._depending(lambda _: False)

    @functools.cached_property
    def moving(self) -> tuple[int, ...]:
        """The results that have a gradient other than 0."""
        return tuple(i for i, moves in enumerate(self._depending(steps)) if moves)

    def _depending(self, beyond: Callable[[Op], bool]) -> tuple[bool, ...]:
        """Return which results depend on what the function is differentiated by."""
        if not self.wrt:
            return (False,) * self.results
        program = self._followed
        roots, nodes = program.outputs[: self.results], program.nodes()
        if len(roots) <= _ONE_BY_ONE:
            stops = nodes.where(beyond)
            return tuple(nodes.leads_back(root, self.wrt, stops) for root in roots)
        flags = dependents(program, self.wrt, len(program) - 1, beyond=beyond)
        return tuple(bool(flags[node]) for node in roots)

    @functools.cached_property
    def values(self) -> Runner:
        """What computes the outputs."""
        return _runner(self.recorded, self._plain_values)

    def _plain_values(self) -> Runner:
        return runner_for(self.program)

    @property
    def values_and_row(self) -> Runner:
        """What computes the outputs and then, where one result moves, its gradient."""
        (moving,) = self.moving
        return self.values_and_row_of(moving)

    def values_and_row_of(self, index: int) -> Runner:
        """Return what computes the outputs and then the gradient of one result."""
        if index not in self._with_rows:
            plain = functools.partial(self._plain_values_and_row, index)
            self._with_rows[index] = _runner(self._asked_row(self.recorded, index), plain)
        return self._with_rows[index]

    def _plain_values_and_row(self, index: int) -> Runner:
        return runner_for(differentiate(self._asked_row(self.program, index), tidy=False))

    def _asked_row(self, program: Program, index: int) -> Program:
        copy, one = _with_constant(program, 1.0)
        return _asked(copy, self.wrt, [(copy.outputs[index], one)])

    def along(self) -> int | None:
        """Return the result whose gradient is worth computing with the values, if any.

        Of several it is the one that was asked for since the last run. Only loops compute it along:
        their values are the same to the last bit with a gradient and without.
        """
        if len(self.moving) == 1:
            return self.moving[0]
        lately, self.lately = self.lately, None
        return lately if isinstance(self.values, LoopRunner) else None

    @functools.cached_property
    def pull_back(self) -> Runner:
        """What computes Σ seed · gradient; the seeds are further inputs, one per result."""
        return _runner(self._asked_pull(self.recorded), self._plain_pull_back)

    def _plain_pull_back(self) -> Runner:
        return runner_for(differentiate(self._asked_pull(self.program), tidy=False))

    def _asked_pull(self, program: Program) -> Program:
        extended = program.with_inputs(self.results)
        seeds = range(program.inputs, extended.inputs)
        roots = list(zip(extended.outputs[: self.results], seeds, strict=True))
        extended.outputs = []
        return _asked(extended, self.wrt, roots)

    def outputs(self, inputs: Inputs) -> list[float]:
        """Return the results as nodes hold them: to the bit those computed with a gradient."""
        runner = self.values_and_row if len(self.moving) == 1 else self.values
        return runner(inputs)[: self.results]

    def row(self, index: int, inputs: Inputs) -> list[float]:
        """Return the gradient of one result at a point."""
        if self.moving == (index,):
            return self.values_and_row(inputs)[-len(self.wrt) :]
        self.lately = index
        return self.back([float(i == index) for i in range(self.results)], inputs)

    def back(self, seeds: list[float], inputs: Inputs) -> list[float]:
        """Return Σ seed · gradient over the results at a point."""
        if isinstance(inputs, list):
            return self.pull_back([*inputs, *seeds])
        n = self.recorded.inputs
        return self.pull_back(np.concatenate([inputs[:n], seeds, inputs[n:]]))

    def gradient(self, index: int) -> Function:
        """Return the gradient of one result as a function of the same inputs."""
        if index not in self._gradients:
            program, one = _with_constant(self.program, 1.0)
            roots = [(program.outputs[index], one)]
            program.outputs = []
            derived = Function(program, len(self.wrt), self.wrt)
            derived.program = differentiate(_asked(program, self.wrt, roots))
            self._gradients[index] = derived
        return self._gradients[index]


def _runner(asked: Program, plain: Callable[[], Runner]) -> Runner:
    """Return what runs a program as recorded, in loops where it has any, else without."""
    found = looped(asked) if has_llvm() else None
    return plain() if found is None else LoopRunner(found, plain)


def _with_constant(program: Program, number: float) -> tuple[Program, int]:
    """Return a copy with a constant, and its node."""
    copy = program.copy()
    (node,) = copy.add([CONSTANT], [()])
    copy.constants[node] = number
    return copy, node


def _asked(program: Program, wrt: tuple[int, ...], roots: list[tuple[int, int]]) -> Program:
    """Add the gradient of Σ seed · root, to be derived, to the outputs of `program`."""
    seeds = tuple(x for pair in roots for x in pair)
    program.outputs += program.add([ADJOINT] * len(wrt), [(x, *seeds) for x in wrt])
    return program
