"""The tree of folds: parts of a graph, each of which can be shown as one thing, or opened.

Each gets a path, by which code refers to it, and a title for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from scalargrad.errors import GraphError
from scalargrad.names import names
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.validation import is_word
from scalargrad.value import Parameter, Value


@dataclass(eq=False, slots=True)
class Fold:
    """A part of a graph that can be shown as one box, or opened.

    No path leaves a fold and returns to it, so closed folds form an acyclic graph.

    Attributes
    ----------
    kind : str
        ``graph``, the whole; ``call``, of a module; ``parameters``, shared by several calls;
        ``stretch``, a part of a long sequence.
    path : str
        Its unique name: ``layers.0.neurons.3``, ``v12…v50``; "" for the whole graph.
    title : str
        A description: ``Layer 1: 16 neurons``, ``10 × (mul, tanh)``.
    items : list of Value or Fold
        The nodes and folds directly inside, in topological order.
    module : object or None
        The module that was called, or that owns the parameters.
    module_path : str
        The path of that module.
    number : int
        The number of that module among those of its kind in a list, from 1; 0 if it has a name.
    inputs : list of Value
        Nodes outside that are read inside, in topological order.
    outputs : list of Value
        Nodes inside that are read outside, and roots, in topological order.
    size : int
        Number of nodes inside, at any depth.
    shape : (int, int) or None
        Of a call, how many numbers it takes (not counting its parameters) and returns.
    outer : Fold or None
        The fold around it.
    """

    kind: str
    items: list[Value | Fold] = field(default_factory=list)
    module: Any = None
    module_path: str = ""
    number: int = 0
    path: str = ""
    title: str = ""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    size: int = 0
    shape: tuple[int, int] | None = None
    outer: Fold | None = None

    @property
    def is_module(self) -> bool:
        """Whether it is a module's call, or parameters of one."""
        return self.kind in {"call", "parameters"}

    @property
    def nodes(self) -> list[Value]:
        """The nodes directly inside."""
        return [item for item in self.items if isinstance(item, Value)]

    @property
    def folds(self) -> list[Fold]:
        """The folds directly inside."""
        return [item for item in self.items if isinstance(item, Fold)]

    def walk(self) -> Iterator[Fold]:
        """Yield this fold and all inside it, outer ones first."""
        pending = [self]
        while pending:
            fold = pending.pop()
            yield fold
            pending += reversed(fold.folds)

    def outwards(self) -> Iterator[Fold]:
        """Yield this fold and those around it, inner ones first."""
        fold: Fold | None = self
        while fold is not None:
            yield fold
            fold = fold.outer

    def everything(self) -> Iterator[Value]:
        """Yield all nodes inside, at any depth."""
        for fold in self.walk():
            yield from fold.nodes

    def find(self, path: str) -> Fold:
        """Return the fold of this path, here or inside.

        Raises
        ------
        GraphError
            If there is none.
        """
        paths = {fold.path: fold for fold in self.walk()}
        if not is_word(path, paths):
            known = [repr(name) for name in paths if name]
            there = ", ".join(known[:_SHOWN]) + ", …" * (len(known) > _SHOWN)
            raise GraphError(f"there is no fold {shown(path)}: there are {there or 'none at all'}")
        return paths[path]

    def __repr__(self) -> str:
        return f"<Fold {self.path!r}: {self.title}>"


Item: TypeAlias = Value | Fold

_SHOWN = 8


def name_folds(whole: Fold, order: Sequence[Value]) -> None:
    """Give every fold its path and its title."""
    parts = [*whole.walk()]
    _name_paths(parts, order)
    calls: dict[Fold, list[Fold]] = {}  # the outermost ones in each
    for part in reversed(parts):  # the title of a group may be that of its contents
        within = [call for inner in part.folds for call in calls[inner]]
        calls[part] = [part] if part.kind == "call" else within
        part.title = part.title or _title(part, within)
    whole.title = counted(whole.size, "node")


def _name_paths(parts: Sequence[Fold], order: Sequence[Value]) -> None:
    """Assign paths, and the titles of calls of which there are several: ``MLP, call 2 of 3``."""
    words, position = names(order), {node: i for i, node in enumerate(order)}
    around = {
        part: next((x for x in part.outwards() if x.kind == "call" and x is not part), None)
        for part in parts
    }
    count = Counter((around[x], x.module_path) for x in parts if x.kind == "call")
    met, taken = Counter[tuple[Fold | None, str]](), Counter({parts[0].path})
    for part in parts[1:]:
        outer = around[part]
        key, path = (outer, part.module_path), _name_inside(part, outer)
        if outer and (outer.module_path or count[around[outer], ""] > 1):
            path = f"{outer.path}.{path}"
        if part.kind == "parameters":
            path += ".parameters"
        elif part.kind != "call":
            ends = [*part.everything()]
            first, last = (pick(ends, key=position.__getitem__) for pick in (min, max))
            path = f"{words[first]}…{words[last]}"
        elif count[key] > 1:
            path += f"[{met[key]}]"
            met[key] += 1
            part.title = f"{_module_name(part)}, call {met[key]} of {count[key]}"
        taken[path] += 1
        part.path = path if taken[path] == 1 else f"{path}_{taken[path]}"


def _name_inside(part: Fold, outer: Fold | None) -> str:
    """Return the path of a fold's module within the module around it; of a model, its class."""
    if not part.module_path:
        return type(part.module).__name__
    inside = f"{outer.module_path}." if outer is not None and outer.module_path else ""
    return part.module_path.removeprefix(inside)


def _title(part: Fold, calls: Sequence[Fold]) -> str:
    """Return a description of a fold, in which there are calls."""
    if part.kind == "parameters":
        return f"{_module_name(part)}: {counted(part.size, 'parameter')}"
    if part.kind != "call":
        return _row_title(part, calls)
    detail = _contents(part.module) or _activation(part.module)
    return f"{_module_name(part)}: {detail}" if detail else _module_name(part)


def _module_name(part: Fold) -> str:
    """Return the name of a module: ``Layer 1``, or ``encoder (MLP)`` if it has its own name."""
    kind, last = type(part.module).__name__, part.module_path.rpartition(".")[2]
    if part.number:
        return f"{kind} {part.number}"
    return f"{last} ({kind})" if last else kind


def _contents(module: Any) -> str:
    """Return a description of the modules directly inside, such as ``16 neurons``."""
    inside: list[str] = []
    kinds: set[str] = set()
    for name, inner in module.named_modules():
        if name and not (inside and name.startswith(f"{inside[-1]}.")):
            inside.append(name)
            kinds.add(type(inner).__name__)
    kind = kinds.pop().lower() if len(kinds) == 1 else "module"
    return counted(len(inside), kind) if inside else ""


def _activation(module: Any) -> str:
    activation = getattr(module, "activation", None)
    if not callable(activation):
        return ""
    if not getattr(module, "nonlin", True):
        return "linear"
    name = getattr(activation, "name", None) or getattr(activation, "__name__", "")
    return "" if name == "<lambda>" else str(name)


def _row_title(part: Fold, calls: Sequence[Fold]) -> str:
    """Return a description of the contents of a stretch."""
    if len(calls) > 1 and len({call.module_path for call in calls}) == 1:
        return f"{len(calls):,} calls of {_module_name(calls[0])}"
    if not any(node.parents for node in part.everything()):
        held = {isinstance(node, Parameter) for node in part.everything()}
        words = ["parameter"] * (True in held) + ["input"] * (False in held)
        return counted(part.size, "s and ".join(words))
    return _repeated(part) or counted(part.size, "node")


def _repeated(part: Fold) -> str:
    """Return what a stretch repeats, such as ``20 × (mul, tanh)``; "" if nothing."""
    done = [node.op.name for node in part.everything() if node.op]
    for unit in range(1, len(done) // 2 + 1):
        if len(done) % unit == 0 and done[unit:] == done[:-unit]:
            once = done[:unit] if unit <= _REPEATED else [done[0], "…", done[unit - 1]]
            words = ", ".join(once)
            return f"{len(done) // unit:,} × {words if unit == 1 else f'({words})'}"
    return ""


_REPEATED = 5  # nodes: where more are repeated, the first and the last are named
