"""Random loops over array elements: traced, found again by the finder, and run as nests.

A third of them have an `if` on data in each iteration.

``python -m tests.compiler.random_recordings --from 0 --count 5000`` compares 5,000 seeds with
Values, writes each seed to a file and, if run again, continues after the last seed in the file.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
from tests.compiler.nests import run_as_nests
from tests.compiler.search import NOT_COMPARED, main

import scalargrad as sg
from benchmarks.replay.corpus import nests as natural
from scalargrad.errors import NumericalError

EPSILON = sys.float_info.epsilon


class Drawn:
    """Random loops: fixed, triangular and ragged, over elements, some of them mutated."""

    def __init__(self, seed: int, *, in_place: bool = True) -> None:
        self.rng = random.Random(seed)
        self.noise: random.Random | None = None  # of roundings
        self.in_place, self.has_ways = in_place, seed % 3 == 2
        self.lengths = [self.rng.randrange(1, 8) for _ in range(60)]
        self.loops = [self.loop(0) for _ in range(self.rng.randrange(1, 3))]
        self.data = natural.draws(97, seed)

    def loop(self, depth: int) -> Any:
        """Return the kind, the trip count and the body of a loop."""
        draw = self.rng
        kind = draw.choice(["fixed", "fixed", "triangle", "ragged"]) if depth else "fixed"
        extents = ([8, 12, 20], [3, 4, 5, 7, 10]) if self.in_place else ([5, 8], [3, 4, 5])
        extents = ([20, 40], [3, 5]) if self.has_ways else extents
        extent = draw.choice(extents[depth > 0])
        body = [
            self.loop(depth + 1)
            if depth < 2 - self.has_ways and draw.random() < 0.5
            else self.statement()
            for _ in range(draw.randrange(1, 4))
        ]
        if self.has_ways and draw.random() < 0.7:
            ways = [[self.statement() for _ in range(k)] for k in draw.sample(range(4), 2)]
            body.insert(draw.randrange(len(body) + 1), ("either", draw.random(), ways))
        return kind, extent, body

    def statement(self) -> Any:
        """Return the target of a result, an operation and two operands."""
        draw = self.rng
        cells = [
            (draw.choice(["cell", "held", "data"]), [draw.choice([0, 1, 1, 2, 7]) for _ in "ijk"],
             draw.randrange(20))
            for _ in range(3)
        ]  # fmt: skip
        op = draw.choice(
            [lambda x, y, z: z + x * y, lambda x, y, z: z - 0.1 * x + y,
             lambda x, y, z: sg.sin(z) * x + y]
        )  # fmt: skip
        if self.in_place:
            return draw.choice(["cell", "held", "held"]), op, cells
        fixed = [(a, [0, 0, 0] if a == "held" else strides, k) for a, strides, k in cells]
        return "held", op, [*fixed[:2], ("held", [0, 0, 0], draw.randrange(3))]

    def __call__(self, p: list[Any]) -> Any:
        """Run the loops on elements with the initial values `p`."""
        self.cells, self.held = [*p], [*p[:20]]
        for x in self.loops:
            self.run(x, ())
        return sum(self.cells) + sum(self.held) if self.in_place else sum(self.held[:3])

    def run(self, item: Any, at: tuple[int, ...]) -> None:
        """Run a loop or a statement."""
        kind, op, parts = item
        if kind == "either":
            for x in parts[self.data[7 * sum(at) % 97] < 2.0 * op - 1.0]:
                self.run(x, at)
            return
        if kind in {"fixed", "triangle", "ragged"}:
            extents = {"fixed": op, "triangle": at[-1] + 1 if at else 0,
                       "ragged": self.lengths[at[-1] % 60] if at else 0}  # fmt: skip
            for k in range(extents[kind]):
                for x in parts:
                    self.run(x, (*at, k))
            return
        places = [sum(s * k for s, k in zip(strides, at, strict=False)) + base
                  for _, strides, base in parts]  # fmt: skip
        read = {"cell": self.cells, "held": self.held, "data": self.data}
        found = [read[a][k % len(read[a])] for (a, *_), k in zip(parts, places, strict=True)]
        to = read[kind]
        place = places[2] % len(to)
        to[place] = op(*found[:2], to[place])
        if self.noise:
            to[place] *= self.noise.choice([1.0 - EPSILON, 1.0 + EPSILON])


def compare(seed: int) -> str:
    """Return the difference for a seed, '' if there is none."""
    program = Drawn(seed, in_place=seed % 2 == 0)
    numbers = [0.1 * x for x in natural.draws(400 - 303 * program.in_place, seed + 1)]
    try:
        value, slopes = sg.value_and_grad(program)(numbers)
        program.noise = random.Random(seed)
        near, others = sg.value_and_grad(program)(numbers)
        program.noise = None
    except NumericalError:
        return ""
    expected = np.array([value, *slopes])
    # Other roundings of all results change as much.
    moved = np.abs(np.array([near, *others]) - expected)
    if moved[0] > 1e-3 * abs(value) or moved.max() > 1e-3 * np.abs(expected).max():
        return NOT_COMPARED  # chaos
    found = run_as_nests(program, numbers)
    allowed = 1e-11 * np.abs(expected).clip(1.0) + 1e2 * moved.clip(moved[1:].max(initial=0.0))
    wrong = np.flatnonzero(~(np.abs(found - expected) <= allowed))
    return "".join(f"{k}: {found[k]} for {expected[k]}; " for k in wrong[:3].tolist())


if __name__ == "__main__":
    sys.exit(main(compare, "random_recordings"))
