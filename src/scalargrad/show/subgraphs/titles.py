"""Name folds: each gets a path, by which code refers to it, and a title for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.names import names
from scalargrad.show.subgraphs.folds import Fold
from scalargrad.system.short_repr import counted
from scalargrad.value import Parameter, Value


def name_folds(whole: Fold, order: Sequence[Value]) -> None:
    """Give every fold its path and its title."""
    _Paths(whole, order).assign()
    titles = _Titles()
    for part in reversed(list(whole.walk())):  # the title of a group may be that of its contents
        part.title = titles.of(part) + part.title
    whole.title = counted(whole.size, "node")


class _Paths:
    """Assigns paths, and prefixes the titles of repeated calls with their numbers."""

    def __init__(self, whole: Fold, order: Sequence[Value]) -> None:
        self.whole = whole
        self.names = names(order)
        self.position = {node: i for i, node in enumerate(order)}
        self.within: dict[Fold, Fold | None] = {}  # the call around each
        for part in whole.walk():
            calls = (x for x in part.outwards() if x.kind == "call" and x is not part)
            self.within[part] = next(calls, None)
        self.calls = Counter(self.place(part) for part in self.within if part.kind == "call")
        self.met = Counter[tuple[Fold | None, str]]()

    def place(self, part: Fold) -> tuple[Fold | None, str]:
        """Return the call around a fold and the module's path, by which calls are numbered."""
        return self.within[part], part.module_path

    def assign(self) -> None:
        taken = Counter({self.whole.path})
        for part in self.within:
            if part is not self.whole:
                part.path = self.path(part)
                taken[part.path] += 1
                if taken[part.path] > 1:
                    part.path += f"_{taken[part.path]}"

    def path(self, part: Fold) -> str:
        if part.kind == "call":
            return self.call_path(part)
        if part.kind == "parameters":
            outer = self.within[part]
            name = _name_inside(part, outer)
            return f"{self.prefix(outer)}{name}.parameters"
        nodes = sorted(part.everything(), key=self.position.__getitem__)
        return f"{self.names[nodes[0]]}…{self.names[nodes[-1]]}"

    def call_path(self, part: Fold) -> str:
        place = self.place(part)
        name = f"{self.prefix(place[0])}{_name_inside(part, place[0])}"
        if self.calls[place] == 1:
            return name
        number = self.met[place]
        self.met[place] += 1
        part.title = f", call {number + 1} of {self.calls[place]}"
        return f"{name}[{number}]"

    def prefix(self, call: Fold | None) -> str:
        """Return the prefix of names inside a call; "" if the model is called only once."""
        if call is None or (not call.module_path and self.calls[self.place(call)] == 1):
            return ""
        return f"{call.path}."


def _name_inside(part: Fold, outer: Fold | None) -> str:
    """Return the path of a fold's module within the module around it; of a model, its class."""
    if not part.module_path:
        return type(part.module).__name__
    inside = f"{outer.module_path}." if outer is not None and outer.module_path else ""
    return part.module_path.removeprefix(inside)


class _Titles:
    """Assigns titles, from the inside out."""

    def __init__(self) -> None:
        self.details: dict[int, str] = {}  # what is said of each module
        self.calls: dict[Fold, list[Fold]] = {}  # the outermost ones in each fold

    def of(self, part: Fold) -> str:
        within = [call for inner in part.folds for call in self.calls[inner]]
        self.calls[part] = [part] if part.kind == "call" else within
        match part.kind:
            case "call":
                detail = self.detail(part.module)
                return f"{_module_name(part)}: {detail}" if detail else _module_name(part)
            case "parameters":
                return f"{_module_name(part)}: {counted(part.size, 'parameter')}"
        return _row_title(part, within)

    def detail(self, module: Any) -> str:
        if id(module) not in self.details:
            self.details[id(module)] = _contents(module) or _activation(module)
        return self.details[id(module)]


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
    for word, is_one in _ROWS.items():
        if all(map(is_one, part.everything())):
            return counted(part.size, word)
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


def _is_leaf(item: Any) -> bool:
    return isinstance(item, Value) and not item.parents


_REPEATED = 5  # nodes: where more are repeated, the first and the last are named

#: What a stretch may consist of entirely, and how to tell.
_ROWS: dict[str, Callable[[Any], bool]] = {
    "parameter": lambda item: isinstance(item, Parameter),
    "input": lambda item: _is_leaf(item) and not isinstance(item, Parameter),
    "parameters and input": _is_leaf,
}
