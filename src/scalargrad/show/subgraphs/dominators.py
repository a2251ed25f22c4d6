"""Dominators: which vertices of a graph are used by one vertex alone."""

from __future__ import annotations

from collections.abc import Sequence


def immediate_dominators(reads: Sequence[Sequence[int]]) -> list[int]:
    """Return for each vertex the nearest one that every path from it to an end passes.

    Parameters
    ----------
    reads : sequence of sequences of int
        The operands of vertex i, all smaller than i.

    Returns
    -------
    list of int
        The dominator of each vertex; n, the number of vertices, where there is none, because the
        vertex is itself an end, or its paths meet only beyond the ends.

    Notes
    -----
    One sweep from results to operands suffices, since the graph has no cycle: a vertex hangs
    below the place where all its readers meet in the tree built so far. Jump pointers find
    that place in logarithmic time, also in a chain of thousands.

    References
    ----------
    Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001. Jump pointers: Myers,
    "An applicative random-access stack", 1983.

    Examples
    --------
    In ``(x + y) * z`` with x, y, q, z, f as 0 to 4, x and y serve q alone:

    >>> immediate_dominators([[], [], [0, 1], [], [2, 3]])
    [2, 2, 4, 4, 5]
    """
    tree = _Tree(len(reads))
    dominators = [-1] * len(reads)  # -1: nothing that reads it has been met
    for vertex in reversed(range(len(reads))):
        if dominators[vertex] < 0:
            dominators[vertex] = len(reads)
        tree.hang(vertex, dominators[vertex])
        for operand in reads[vertex]:
            met = dominators[operand]
            dominators[operand] = vertex if met < 0 else tree.meeting(met, vertex)
    return dominators


class _Tree:
    """A tree that grows downwards from its root, the last index."""

    def __init__(self, root: int) -> None:
        self.depth = [0] * (root + 1)
        self.above = [root] * (root + 1)
        self.jump = [root] * (root + 1)  # to some vertex further up

    def hang(self, vertex: int, above: int) -> None:
        """Add a vertex below another."""
        depth, jump = self.depth, self.jump
        self.above[vertex] = above
        depth[vertex] = depth[above] + 1
        far = jump[above]
        as_long = depth[above] - depth[far] == depth[far] - depth[jump[far]]
        jump[vertex] = jump[far] if as_long else above

    def meeting(self, a: int, b: int) -> int:
        """Return the lowest vertex that has both at or below it."""
        depth, above, jump = self.depth, self.above, self.jump
        if depth[a] < depth[b]:
            a, b = b, a
        while depth[a] > depth[b]:
            a = jump[a] if depth[jump[a]] >= depth[b] else above[a]
        while a != b:  # equally deep, so their jumps are equally long
            a, b = (jump[a], jump[b]) if jump[a] != jump[b] else (above[a], above[b])
        return a
