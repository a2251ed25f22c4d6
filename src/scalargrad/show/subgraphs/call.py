"""One call of a module, as inferred from its nodes: their parameters, and the inputs they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from scalargrad.value import Value

#: What a node reads: inputs of a call, or the parameters a node of it uses.
Operands: TypeAlias = tuple[Value | float, ...]


@dataclass(eq=False, slots=True)
class Call:
    """One call of a module.

    Attributes
    ----------
    path : str
        The path of the module.
    outer : Call or None
        The call of the module around it.
    inputs : tuple of Value or float
        The operands of the call's first node that are not parameters.
    """

    path: str
    outer: Call | None
    inputs: Operands
    _used: set[Operands] = field(default_factory=set)  # the parameters of each node
    _same: Call | None = None

    def settled(self) -> Call:
        """Return the call that this one was joined with."""
        call = self
        while call._same is not None:
            call = call._same
        return call

    def outwards(self) -> Iterator[Call]:
        """Yield this call and those around it."""
        call: Call | None = self
        while call is not None:
            yield (call := call.settled())
            call = call.outer

    def fits(self, own: Operands) -> bool:
        """Return whether a node that uses these parameters can belong to this call."""
        return own not in self._used

    def use(self, own: Operands) -> None:
        """Note that a node uses these parameters, here and in the calls around."""
        for call in self.outwards():
            call._used.add(own)

    def is_apart_from(self, other: Call) -> bool:
        """Return whether the two calls use different parameters."""
        return self._used.isdisjoint(other._used)

    def join(self, other: Call) -> None:
        """Merge another call of the same module, and the calls around it, into this one."""
        for one, same in zip(self.outwards(), other.outwards(), strict=True):
            if one is not same:
                one._used |= same._used
                same._same = one
