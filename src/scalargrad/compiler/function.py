"""A compiled function: a program with its derivatives, each packed when first needed."""

from __future__ import annotations

import functools
import struct
from collections import deque
from typing import Any

from scalargrad.compiler.backend import machine as machines
from scalargrad.compiler.backend.blocks import Blocked
from scalargrad.compiler.backend.machine import Machine
from scalargrad.compiler.passes.differentiate import dependents, differentiate, steps
from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.passes.pack import pack
from scalargrad.compiler.passes.program import ADJOINT, CONSTANT, INPUT, Program
from scalargrad.compiler.passes.segments import split
from scalargrad.compiler.passes.sum_of_products import sum_of_products

Inputs = list[float] | Floats

#: Machines kept idle for each program; each holds the program's memory once.
_IDLE = 4


class Runner:
    """A packed program with the memories it runs in, one for each call under way."""

    def __init__(self, packed: Packed | Blocked) -> None:
        self.packed = packed
        self._idle: deque[tuple[Machine, Floats]] = deque(maxlen=_IDLE)
        self._write = struct.Struct(f"{packed.inputs}d").pack_into

    @property
    def outputs(self) -> slice:
        """The cells of the outputs."""
        return self.packed.outputs

    def machine(self) -> Machine:
        """Return a memory of its own with the program in it."""
        packed = self.packed
        return packed.machine() if isinstance(packed, Blocked) else machines.machine_for(packed)

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

    def lend(self) -> tuple[Machine, Floats]:
        """Return a machine that nobody uses, and its outputs; `take_back` is for both."""
        try:
            return self._idle.pop()
        except IndexError:
            machine = self.machine()
            return machine, machine.memory[self.packed.outputs]

    def take_back(self, lent: tuple[Machine, Floats]) -> None:
        """Have what was lent ready for another."""
        self._idle.append(lent)

    def _ran(self, inputs: Inputs) -> tuple[Machine, Floats]:
        """Return a machine after a run, and its outputs."""
        machine, _ = idle = self.lend()
        if inputs.__class__ is list:
            self._write(machine.memory, 0, *inputs)  # type: ignore[arg-type]
        else:
            machine.memory[: self.packed.inputs] = inputs
        machine.run()
        return idle

    def memory_after(self, inputs: Inputs) -> Floats | None:
        """Return the memory as a run leaves it; None where parts have memories of their own."""
        if isinstance(self.packed, Blocked):
            return None
        machine = self.machine()
        machine.memory[: self.packed.inputs] = inputs
        machine.run()
        return machine.memory

    @property
    def parts(self) -> list[tuple[str, Packed]]:
        """The packed programs, by titles where there are several."""
        return self.packed.parts if isinstance(self.packed, Blocked) else [("", self.packed)]

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.packed,)


def runner_for(program: Program) -> Runner:
    """Return what runs a program, flattened and derived."""
    lowered = sum_of_products(program, lower=True)
    segments = split(lowered)
    return Runner(pack(lowered) if segments is None else Blocked(segments))


class Function:
    """A program, its results, and their derivatives with respect to some inputs.

    Parameters
    ----------
    program : Program
        Flattened and derived. Its outputs are the results, then what is watched.
    results : int
        How many outputs are results.
    wrt : tuple of int
        The inputs to differentiate with respect to.
    """

    def __init__(self, program: Program, results: int, wrt: tuple[int, ...]) -> None:
        self.program = program
        self.results = results
        self.wrt = wrt
        self._gradients: dict[int, Function] = {}

    @functools.cached_property
    def moving(self) -> tuple[int, ...]:
        """The results that have a gradient other than 0."""
        flags = dependents(self.program, self.wrt, len(self.program) - 1, beyond=steps)
        return tuple(
            i for i, node in enumerate(self.program.outputs[: self.results]) if flags[node]
        )

    @functools.cached_property
    def values(self) -> Runner:
        """What computes the outputs."""
        return runner_for(self.program)

    @functools.cached_property
    def values_and_row(self) -> Runner:
        """What computes the outputs and then, where one result moves, its gradient."""
        (moving,) = self.moving
        program, one = _with_constant(_copy(self.program), 1.0)
        return runner_for(_with_gradient(program, self.wrt, [(program.outputs[moving], one)]))

    @functools.cached_property
    def pull_back(self) -> Runner:
        """What computes Σ seed · gradient; the seeds are further inputs, one per result."""
        program, seeds = _with_inputs(self.program, self.results)
        roots = list(zip(program.outputs[: self.results], seeds, strict=True))
        program.outputs = []
        return runner_for(_with_gradient(program, self.wrt, roots))

    def outputs(self, inputs: Inputs) -> list[float]:
        """Return the results as nodes hold them: to the bit those computed with a gradient."""
        runner = self.values_and_row if len(self.moving) == 1 else self.values
        return runner(inputs)[: self.results]

    def row(self, index: int, inputs: Inputs) -> list[float]:
        """Return the gradient of one result at a point."""
        if self.moving == (index,):
            return self.values_and_row(inputs)[-len(self.wrt) :]
        seeds = [float(i == index) for i in range(self.results)]
        return self.pull_back([*inputs, *seeds])

    def gradient(self, index: int) -> Function:
        """Return the gradient of one result as a function of the same inputs."""
        if index not in self._gradients:
            program, one = _with_constant(_copy(self.program), 1.0)
            roots = [(program.outputs[index], one)]
            program.outputs = []
            derived = _with_gradient(program, self.wrt, roots, tidy=True)
            self._gradients[index] = Function(derived, len(self.wrt), self.wrt)
        return self._gradients[index]


def _copy(program: Program) -> Program:
    return Program(
        program.inputs,
        list(program.ops),
        list(program.args),
        dict(program.constants),
        list(program.outputs),
        program.one,
    )


def _with_constant(program: Program, number: float) -> tuple[Program, int]:
    program.ops.append(CONSTANT)
    program.args.append(())
    program.constants[len(program) - 1] = number
    return program, len(program) - 1


def _with_inputs(program: Program, count: int) -> tuple[Program, list[int]]:
    """Return a copy with further inputs, and their nodes."""
    n = program.inputs

    def moved(node: int) -> int:
        return node if node < n else node + count

    extended = Program(
        n + count,
        [*program.ops[:n], *[INPUT] * count, *program.ops[n:]],
        [*[()] * (n + count), *(tuple(map(moved, args)) for args in program.args[n:])],
        {moved(node): x for node, x in program.constants.items()},
        [moved(node) for node in program.outputs],
        moved(program.one) if program.one >= 0 else -1,
    )
    return extended, list(range(n, n + count))


def _with_gradient(
    program: Program, wrt: tuple[int, ...], roots: list[tuple[int, int]], *, tidy: bool = False
) -> Program:
    """Add the gradient of Σ seed · root to the outputs of `program`, which is changed."""
    seeds = tuple(x for pair in roots for x in pair)
    for node in wrt:
        program.outputs.append(len(program))
        program.ops.append(ADJOINT)
        program.args.append((node, *seeds))
    return differentiate(program, tidy=tidy)
