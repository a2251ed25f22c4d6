"""Schedule equations: dependences, strongly connected components, fusion, directions of loops.

Statements in a cycle of dependences share a sequential loop. Every other statement may be in any
loop over its variable, and is fused with the first legal one. Loops stay nested as in the
equations, except those of a sum outside a recurrence:

    for i in 90, sequential:
        s[i+1] = fma(p[0], s[i], x[i])
    for i in 90, vector, lanes:
        total[] += s[i+1] · s[i+1]

References
----------
Allen and Kennedy, Optimizing Compilers for Modern Architectures, 2001, chapters 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scalargrad.compiler.nests.distances import (
    Edge,
    Placed,
    adds_loop_by_loop,
    dependences,
    has_own_cells,
)
from scalargrad.compiler.nests.equations import (
    SEQUENTIAL,
    SET,
    Body,
    Loop,
    Program,
    Step,
    Var,
    nest,
    replaced,
    within_loops,
)
from scalargrad.compiler.nests.lowering_error import LoweringError

#: The fewest turns of a loop whose turns may be lanes of vectors.
LANES = 4


@dataclass(eq=False)
class ScheduledLoop(Loop):
    """A loop as it is to run: `down` says whether its variable counts down.

    Attributes
    ----------
    kind : str
        ``"vector"``: its turns may run abreast, but for what they add to one cell;
        ``"sequential"``: each turn reads what earlier ones wrote.
    lanes : bool
        Whether eight turns run at once, each on a lane of vectors.
    jam : int
        The number of turns that are written together.
    unrolled : bool
        Whether all turns are written one after another.
    """

    kind: str = "vector"
    lanes: bool = False
    jam: int = 1
    unrolled: bool = False

    def __str__(self) -> str:
        shown = [self.kind, *["lanes"] * self.lanes, *["unrolled"] * self.unrolled]
        shown += [f"{self.jam} abreast"] * (self.jam > 1) + ["down"] * self.down
        return f"for {self.var} in {self.var.extent}, {', '.join(shown)}:"


def goes_abreast(step: Step, var: Var) -> bool:
    """Return whether turns of a step may run in any order, and at once.

    It then sets or adds to different cells at each turn, or the turns are in classes of a long sum
    or maximum.
    """
    if step.how == SET:
        return True
    if not adds_loop_by_loop(step.out):
        return has_own_cells(step.out, var)
    return var in step.out.variables or var.extent.bounds()[1] > SEQUENTIAL


def schedule(program: Program) -> Body:
    """Return the loops of a program in an order that runs.

    Raises
    ------
    LoweringError
        If there is none with loops nested, and sums begun, as they are.
    """
    placed = [Placed(k, *x) for k, x in enumerate(within_loops(program.body))]
    return _ordered(placed, dependences(placed))


class DirectionError(LoweringError):
    """Sums over a loop begin at one end, and other steps need it to run from the other.

    Attributes
    ----------
    steps : list of Step
        The steps that add up the other way.
    var : Var
    """

    def __init__(self, steps: list[Step], var: Var) -> None:
        super().__init__(f"{steps[0]} adds up over {var} one way, other steps need the other")
        self.steps, self.var = steps, var


def with_directions(program: Program) -> tuple[Program, Body]:
    """Return a program whose sums begin where its loops do, and these in an order that runs.

    Raises
    ------
    LoweringError
        If there is none with loops nested as they are.
    """
    while True:
        try:
            return program, schedule(program)
        except DirectionError as error:
            program = _turned(program, error.steps, error.var)


def _turned(program: Program, steps: Sequence[Step], var: Var) -> Program:
    """Return a program with some steps turned: they add up over a loop from the other end."""
    body = replaced(program.body, lambda step: None if step in steps else step)
    for step, loops in within_loops(program.body):
        if step in steps:
            turned = [Loop(x.var, down=x.down != (x.var is var)) for x in loops]
            body.append(nest(step, turned))
    return Program(program.arrays, body)


def strongly_connected(placed: Sequence[Placed], edges: Sequence[Edge]) -> list[list[Placed]]:
    """Return the strongly connected components of steps; those that are read come first.

    Where the order is free, it is that of the equations.

    References
    ----------
    Sharir, A strong-connectivity algorithm and its applications in data flow analysis, 1981.
    """
    if all(edge.writer.number < edge.reader.number for edge in edges):
        return [[x] for x in placed]
    readers: dict[Placed, list[Placed]] = {x: [] for x in placed}
    writers: dict[Placed, list[Placed]] = {x: [] for x in placed}
    for edge in sorted(edges, key=lambda edge: -edge.reader.number):
        readers[edge.writer].append(edge.reader)
        writers[edge.reader].append(edge.writer)
    order = _reached(placed[::-1], readers, set())
    seen: set[Placed] = set()
    found = (_reached([x], writers, seen) for x in reversed(order))
    return [sorted(x, key=lambda member: member.number) for x in found if x]


def _reached(
    roots: Sequence[Placed], to: Mapping[Placed, Sequence[Placed]], seen: set[Placed]
) -> list[Placed]:
    """Return what a depth-first search finds that is not yet seen, in the order of leaving it."""
    found = []
    for root in roots:
        way = [] if root in seen else [(root, iter(to[root]))]
        seen.add(root)
        while way:  # without recursion: straight lines are thousands of steps deep
            y = next((y for y in way[-1][1] if y not in seen), None)
            if y is None:
                found.append(way.pop()[0])
            else:
                seen.add(y)
                way.append((y, iter(to[y])))
    return found


class _Group:
    """Steps that run in one loop, or in none."""

    def __init__(self, var: Var | None, carried: int, abreast: bool) -> None:
        self.var, self.carried, self.abreast, self.summed = var, carried, abreast, 0
        self.steps: dict[Placed, None] = {}

    def takes(self, var: Var | None, carried: int, summed: int, crossing: Sequence[Edge]) -> bool:
        """Return whether steps may run here that read, by `crossing`, what steps here write."""
        opposed = summed and -summed in {self.summed, self.carried}
        if self.var is not var or self.carried != carried or opposed:
            return False
        return var is None or _goes(carried, crossing, var)


def _ordered(placed: Sequence[Placed], edges: Sequence[Edge], lanes: bool = False) -> Body:
    """Return steps within the loops that they are not yet in.

    Those whose turns go abreast are kept apart from others, but for short sums in a loop around
    which may have `lanes`.
    """
    components, edges = _components_compared(placed, edges)
    if not any(x.next for x in placed):
        itself = {edge.reader for edge in edges if edge.writer is edge.reader}
        for component in components:
            if len(component) > 1 or component[0] in itself:
                raise _no_order(component, "they wait for each other")
        return [component[0].step for component in components]
    into: dict[Placed, list[Edge]] = {x: [] for x in placed}
    for edge in edges:
        into[edge.reader].append(edge)
    groups: list[_Group] = []
    home: dict[Placed, int] = {}
    for component in components:
        arriving = [edge for x in component for edge in into[x]]
        members = set(component)
        inside = [edge for edge in arriving if edge.writer in members]
        if not inside:
            component[0].order_loops()
        var = component[0].next.var if component[0].next else None
        abreast = var is None or all(
            goes_abreast(x.step, var) or (lanes and adds_loop_by_loop(x.step.out)) for x in members
        )
        carried = _carried(component, inside, var) if inside else 0
        summed = _summed(component, carried) if var else 0
        floor = max((home[e.writer] for e in arriving if e.writer in home), default=0)
        for k in range(floor, len(groups)):
            crossing = [e for e in arriving if home.get(e.writer) == k]
            if groups[k].abreast == abreast and groups[k].takes(var, carried, summed, crossing):
                break
        else:
            k = len(groups)
            groups.append(_Group(var, carried, abreast))
        groups[k].summed = groups[k].summed or summed
        groups[k].steps.update(dict.fromkeys(component))
        home.update(dict.fromkeys(component, k))
    found: Body = []
    for group in groups:
        mine = [e for x in group.steps for e in into[x] if e.writer in group.steps]
        found += _emitted(group, mine, lanes)
    return found


def _components_compared(
    placed: Sequence[Placed], edges: Sequence[Edge]
) -> tuple[list[list[Placed]], Sequence[Edge]]:
    """Return the components, and the edges, after turns were compared where that may matter."""
    while True:
        components = strongly_connected(placed, edges)
        of = {x: k for k, component in enumerate(components) for x in component}
        open_ = {e: None for e in edges if of[e.writer] == of[e.reader] and e.is_open()}
        if not open_:
            return components, edges
        found = (edge.compared() if edge in open_ else edge for edge in edges)
        edges = [edge for edge in found if edge is not None]


def _goes(direction: int, edges: Sequence[Edge], var: Var) -> bool:
    """Return whether what is read is there if a loop goes up (1), down (-1) or in any order (0)."""
    return all(
        (low >= 0 or direction < 0) and (high <= 0 or direction > 0)
        for low, high in (edge.distances[var] for edge in edges)
    )


def _carried(component: Sequence[Placed], inside: Sequence[Edge], var: Var | None) -> int:
    """Return the direction of the loop that steps are put into next; 0 if it carries nothing."""
    if var is None or any(not x.next or x.next.var is not var for x in component):
        raise _no_order(component, "they are in different loops")
    for direction in (0, 1, -1):
        if _goes(direction, inside, var):
            return direction
    raise _no_order(component, f"they read later turns of {var}, and earlier ones")


def _summed(component: Sequence[Placed], carried: int) -> int:
    """Return the direction that sums give the next loop, if any."""
    directions = {x.summed() for x in component} - {0}
    if len(directions | {carried} - {0}) > 1:
        way = carried or 1
        steps = [x.step for x in component if x.summed() == -way]
        assert component[0].next
        raise DirectionError(steps, component[0].next.var)
    return min(directions, default=0)


def _no_order(component: Sequence[Placed], reason: str) -> LoweringError:
    others = f" and {len(component) - 1} others" * (len(component) > 1)
    return LoweringError(f"no order of loops computes {component[0].step}{others}: {reason}")


def _emitted(group: _Group, edges: Sequence[Edge], lanes: bool) -> Body:
    steps = sorted(group.steps, key=lambda x: x.number)
    var = group.var
    if var is None:
        return _ordered(steps, edges)
    for x in steps:
        x.depth += 1
    same = [within for edge in edges if (within := edge.within(var)) is not None]
    kind = "sequential" if group.carried else "vector"
    down = (group.carried or group.summed) < 0
    lanes = lanes or (group.abreast and not group.carried and var.extent.bounds()[1] >= LANES)
    return [ScheduledLoop(var, _ordered(steps, same, lanes), down, kind)]
