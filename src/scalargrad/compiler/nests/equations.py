"""Equations: what a program computes, as steps on arrays within loops.

A cell of an array is set by one step, once, or is added to by one step, or holds 0 throughout.
Every reader reads its final number. So equations have no order: the direction of a loop, and the
loops that run together, follow from what is read and are not stored.

**The rule of sums.** An element that is added to holds 0 at first. The loops whose variables do not
index it are the sum's loops; the outermost is summed over the sums of the next.

- The sum of each of these loops starts at -0.0.
- Up to 64 terms are added in order of the variable, or in the reverse order where the equations say
  ``down``. In a longer sum, term k is added to class k mod 8, each class in order from -0.0, and
  classes 1 … 7 are added to class 0 in this order.
- Where the terms are products, each is added by one fused multiply-add, rounded once.
- The total is then the number of the element.

Where iterations meet in one element although their variables index it (by a table, or as x[i+j]),
or a loop over elements ends at a variable of the sum (as in a triangle), there are no partial sums:
each term is added to what the element holds, in the order of all loops around.

``str(program)`` shows all of it::

    in p[3]; const x[2000]; temp s[2001]; out L[]
    s[0] = 1.0
    for t in 2000:
        s[t+1] = p[1] · s[t]
        L[] += x[t] · s[t+1]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.opdef.operation import Operation
from scalargrad.system.cached_property import cached_property

#: The two kinds of steps: one result sets a cell, or all results are added to it.
SET, ADD = "=", "+="
#: The most terms of a sum that are added in order, and the classes of a longer sum: term k is in
#: class k mod 8, each class is added in order.
SEQUENTIAL, CLASSES = 64, 8


class Affine:
    """The operators of variables and indices."""

    __slots__ = ()

    def __add__(self, other: Affine | int) -> Index:
        mine, its = as_index(self), as_index(other)
        strides = dict(mine.terms)
        for var, stride in its.terms:
            strides[var] = strides.get(var, 0) + stride
        if mine.via and its.via:
            raise LoweringError(f"an index adds {mine.via} and {its.via}: make one table of them")
        terms = sorted(((v, k) for v, k in strides.items() if k), key=lambda term: term[0].name)
        return Index(mine.base + its.base, tuple(terms), mine.via or its.via)

    __radd__ = __add__

    def __sub__(self, other: Affine | int) -> Index:
        return self + as_index(other) * -1

    def __rsub__(self, other: int) -> Index:
        return as_index(other) - self

    def __mul__(self, stride: int) -> Index:
        mine = as_index(self)
        if mine.via and stride != 1:
            raise LoweringError(
                f"an entry of {mine.via.array} is multiplied: multiply in the table"
            )
        terms = tuple((v, k * stride) for v, k in mine.terms if stride)
        return Index(mine.base * stride, terms, mine.via)

    __rmul__ = __mul__


@dataclass(frozen=True, eq=False)
class Var(Affine):
    """The variable of a loop, which counts from 0 up to its extent.

    Loops over the same Var run over the same numbers, so that they can run together.

    Attributes
    ----------
    name : str
        Unique within a program.
    extent : Index
        A number, affine in the variables of loops outside, or an entry of a constant table.
    """

    name: str
    extent: Index

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def depth(self) -> int:
        """The length of the longest chain of variables that its extent depends on, plus 1."""
        return 1 + max((v.depth for v in self.extent.variables), default=0)

    @property
    def is_way(self) -> bool:
        """True if a table says where its loop has no turn: it is one branch of an `if`."""
        return self.extent.via is not None and self.extent.bounds()[0] < 1


@dataclass(eq=False, slots=True)
class Array:
    """An array of cells, which hold 0 where no step writes.

    Attributes
    ----------
    name : str
        Unique within a program.
    shape : tuple of int
    kind : str
        ``"in"`` (given at each run), ``"const"``, ``"temp"`` or ``"out"`` (returned).
    data : ndarray or None
        The numbers of a constant array.
    is_sum : bool
        True if the elements are sums of adjoints: one that no statement writes has no terms, and
        may be read.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "temp"
    data: Floats | None = None
    is_sum: bool = False

    def __repr__(self) -> str:
        return self.name


_NO_VARIABLES: frozenset[Var] = frozenset()


class Index(Affine):
    """A whole number: base + Σ stride·variable, and the number in a cell of a table, if any.

    Attributes
    ----------
    base : int
    terms : tuple of (Var, int)
    via : Access or None
    variables : frozenset of Var
        The variables in it, those of the table's index among them.
    """

    __slots__ = ("_bounds", "_hash", "base", "terms", "variables", "via")

    def __init__(
        self, base: int = 0, terms: tuple[tuple[Var, int], ...] = (), via: Access | None = None
    ) -> None:
        self.base, self.terms, self.via = base, terms, via
        self.variables = via.variables if via else _NO_VARIABLES
        if terms:
            self.variables |= {v for v, _ in terms}
        self._hash = hash((base, terms, via))
        self._bounds: tuple[int, int] | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Index):
            return self is other
        return (self.base, self.terms, self.via) == (other.base, other.terms, other.via)

    def __str__(self) -> str:
        parts = [f"{v}" if k == 1 else f"-{v}" if k == -1 else f"{k}*{v}" for v, k in self.terms]
        parts += [str(self.via)] if self.via else []
        parts += [str(self.base)] if self.base or not parts else []
        return "+".join(parts).replace("+-", "-")

    def substituted(self, values: Mapping[Var, Index]) -> Index:
        """Return the index with others in the place of variables."""
        found = Index(self.base, (), self.via and self.via.substituted(values))
        for var, stride in self.terms:
            found += values[var] * stride if var in values else Index(0, ((var, stride),))
        return found

    def differs(self, other: Index) -> bool:
        """Return whether the two are never equal, whatever the turns of loops are."""
        (low, high), (least, most) = self.bounds(), other.bounds()
        if high < least or most < low or self.via or other.via:
            return high < least or most < low
        stride = math.gcd(*[k for _, k in (*self.terms, *other.terms)])
        return bool(stride and (self.base - other.base) % stride)

    def bounds(self) -> tuple[int, int]:
        """Return the least and the greatest number it takes; of a table given later, ±2⁶²."""
        if self._bounds is None:
            if all(not (v.extent.terms or v.extent.via) for v, _ in self.terms):
                ends = [k * (v.extent.base - 1) for v, k in self.terms]
                low = self.base + sum(x for x in ends if x < 0)
                high = self.base + sum(x for x in ends if x > 0)
            else:
                rest = Index(self.base, self.terms)
                low, high = -(rest * -1)._most(), rest._most()
            if self.via:
                data = self.via.array.data
                low = low + int(data.min()) if data is not None else -(1 << 62)
                high = high + int(data.max()) if data is not None else 1 << 62
            self._bounds = low, high
        return self._bounds

    def _most(self) -> int:
        if not self.terms:
            return self.base
        last = max(
            (v for v, _ in self.terms), key=lambda v: v.depth
        )  # no other's extent depends on it
        stride = dict(self.terms)[last]
        rest = self - last * stride
        if stride < 0:
            return rest._most()
        ends = last.extent if not last.extent.via else as_index(last.extent.bounds()[1])
        return (rest + (ends - 1) * stride)._most()


def as_index(x: Any) -> Index:
    """Return a variable or a number as an index."""
    if isinstance(x, Index):
        return x
    return Index(0, ((x, 1),)) if isinstance(x, Var) else Index(int(x))


class Access:
    """A cell: an array and an index for each of its dimensions.

    Attributes
    ----------
    array : Array
    indices : tuple of Index
    variables : frozenset of Var
        The variables that decide which cell it is.
    tables : tuple of Access
        The cells of tables that its indices read.
    """

    __slots__ = ("_hash", "array", "indices", "tables", "variables")

    def __init__(self, array: Array, indices: tuple[Index, ...] = ()) -> None:
        self.array, self.indices = array, indices
        self.variables = _NO_VARIABLES
        self.tables: tuple[Access, ...] = ()
        for index in indices:
            self.variables |= index.variables
            if index.via:
                self.tables += (index.via, *index.via.tables)
        self._hash = hash((array, indices))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Access):
            return self is other
        return self.array is other.array and self.indices == other.indices

    def __str__(self) -> str:
        return f"{self.array}[{', '.join(map(str, self.indices))}]"

    def substituted(self, values: Mapping[Var, Index]) -> Access:
        """Return the access with indices in the place of variables."""
        return Access(self.array, tuple(i.substituted(values) for i in self.indices))

    @property
    def is_cell(self) -> bool:
        """True if all its indices are numbers."""
        return not (self.variables or self.tables)

    def is_plain(self) -> bool:
        """Return whether each variable in it is by itself the index of one dimension."""
        found = [v for i in self.indices for v, _ in i.terms]
        return len(found) == len(set(found)) and all(
            not i.via and (not i.terms or (i.base, i.terms[0][1]) == (0, 1)) and len(i.terms) < 2
            for i in self.indices
        )

    def is_whole(self) -> bool:
        """Return whether it is each cell of its array, in loops over its variables."""
        pairs = zip(self.indices, self.array.shape, strict=True)
        return self.is_plain() and all(
            i.terms[0][0].extent == Index(n) if i.terms else n == 1 for i, n in pairs
        )

    def is_disjoint(self, other: Access) -> bool:
        """Return whether the two are never one cell: in some dimension, no index is of both."""
        return any(map(Index.differs, self.indices, other.indices))


Arg = Access | float

_SIGNS = {"add": "+", "sub": "-", "mul": "·", "div": "/"}


@dataclass(eq=False, slots=True)
class Step:
    """An operation on cells and numbers, whose result sets a cell, or is added to it.

    Attributes
    ----------
    out : Access
    op : Operation
        Of the table.
    args : tuple of Access or float
    how : str
        `SET` or `ADD`. A product that is added is rounded once, with the sum.
    """

    out: Access
    op: Operation
    args: tuple[Arg, ...]
    how: str = SET
    _reads: tuple[Access, ...] | None = field(default=None, init=False, repr=False)

    def reads(self) -> tuple[Access, ...]:
        """Return the cells that the step reads, those of tables among them."""
        if self._reads is None:
            cells = [x for x in self.args if type(x) is Access]
            self._reads = (*cells, *self.tables())
        return self._reads

    def tables(self) -> list[Access]:
        """Return the cells that its indices read."""
        found = [*self.out.tables]
        for x in self.args:
            if type(x) is Access and x.tables:
                found += x.tables
        return found

    def with_cells(self, by: Callable[[Access], Access]) -> Step:
        """Return the step with other cells in the place of those it sets and has as operands."""
        args = tuple([by(x) if isinstance(x, Access) else x for x in self.args])
        return Step(by(self.out), self.op, args, self.how)

    def __str__(self) -> str:
        args = [str(x) for x in self.args]
        if self.op.name == "identity":
            return f"{self.out} {self.how} {args[0]}"
        if self.op.name in _SIGNS:
            return f"{self.out} {self.how} {f' {_SIGNS[self.op.name]} '.join(args)}"
        return f"{self.out} {self.how} {self.op.name}({', '.join(args)})"


@dataclass(eq=False)
class Loop:
    """A loop: steps and inner loops, for each value of a variable.

    Attributes
    ----------
    var : Var
    body : list of Loop or Step
    down : bool
        Whether sums over it begin with the last term, as in the reverse of a recurrence. That is an
        order of terms, not of steps.
    """

    var: Var
    body: list[Loop | Step] = field(default_factory=list)
    down: bool = False

    def __str__(self) -> str:
        return f"for {self.var} in {self.var.extent}{', down' * self.down}:"


Body = list[Loop | Step]


@dataclass(eq=False)
class Program:
    """Arrays, and the loops and steps that compute them.

    Attributes
    ----------
    arrays : list of Array
    body : list of Loop or Step
    """

    arrays: list[Array]
    body: Body

    def __str__(self) -> str:
        shown = (f"{a.kind} {a}[{', '.join(map(str, a.shape))}]" for a in self.arrays)
        return f"{'; '.join(shown)}\n{listed(self.body)}"


def listed(body: Sequence[Loop | Step], indent: str = "") -> str:
    """Return loops and steps as text, one to a line."""
    lines = []
    for item in body:
        lines.append(f"{indent}{item}")
        if isinstance(item, Loop):
            lines.append(listed(item.body, f"{indent}    "))
    return "\n".join(lines)


def statements(body: Body) -> Iterator[tuple[Step, tuple[Var, ...]]]:
    """Yield each step with the variables of the loops around it, outermost first."""
    for step, loops in within_loops(body):
        yield step, tuple([loop.var for loop in loops])


def within_loops(
    body: Body, around: tuple[Loop, ...] = ()
) -> Iterator[tuple[Step, tuple[Loop, ...]]]:
    """Yield each step with the loops around it, outermost first."""
    for item in body:
        if isinstance(item, Loop):
            yield from within_loops(item.body, (*around, item))
        else:
            yield item, around


def replaced(body: Body, by: Callable[[Step], Step | Sequence[Step] | None]) -> Body:
    """Return a body with another step in the place of each, several or none; empty loops go."""
    found: Body = []
    for item in body:
        if not isinstance(item, Loop):
            made = by(item)
            found += [made] if isinstance(made, Step) else made or ()
        elif inner := replaced(item.body, by):
            found.append(Loop(item.var, inner, item.down))
    return found


def nest(step: Step, loops: Sequence[Loop]) -> Loop | Step:
    """Return a step within loops like others, outermost first."""
    item: Loop | Step = step
    for loop in reversed(loops):
        item = Loop(loop.var, [item], loop.down)
    return item


def reachable(start: Iterable[Array], ways: Sequence[tuple[Array, Array]]) -> set[Array]:
    """Return the arrays that ways reach from some, and these."""
    found, size = set(start), -1
    while len(found) > size:
        size = len(found)
        for array, other in ways:
            if array in found:
                found.add(other)
    return found
