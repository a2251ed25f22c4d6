"""Names for the numbers of arguments and results: ``w[3]``, ``points[0][1]``, ``result``."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scalargrad.compiler.call.arguments import is_number
from scalargrad.compiler.call.outline import ArrayOutline, ObjectOutline, Place
from scalargrad.sparse import Table
from scalargrad.table.numbers import is_real
from scalargrad.value import Value


def input_names(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str]:
    """Return a name for each number of the arguments, in the order of a program's inputs."""
    named = [*zip(_parameters(function, len(args)), args, strict=True), *kwargs.items()]
    return [name for parameter, x in named for name in _numbers(parameter, x)]


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of a function's first `count` positional parameters."""
    found: list[str] = []
    for x in inspect.signature(function).parameters.values():
        if x.kind is x.VAR_POSITIONAL:
            found += [f"{x.name}[{k}]" for k in range(count - len(found))]
        found.append(x.name)
    return found[:count]


def _numbers(name: str, x: Any) -> Iterator[str]:
    if isinstance(x, Value) or is_number(x):
        yield name
    elif isinstance(x, dict):
        for key, item in x.items():
            yield from _numbers(f"{name}[{key!r}]", item)
    elif isinstance(x, list | tuple) and not isinstance(x, Table):
        for k, item in enumerate(x):
            yield from _numbers(f"{name}[{k}]", item)
    elif hasattr(x, "dtype"):
        for place in itertools.product(*map(range, x.shape)):
            yield name + "".join(f"[{k}]" for k in place)


def results_of(outline: Any) -> list[tuple[str, int | float]]:
    """Return the numbers of a result by name, as indices of outputs or as constants."""
    return list(_results("result", outline))


def _results(name: str, outline: Any) -> Iterator[tuple[str, int | float]]:
    if isinstance(outline, Place):
        yield name, outline.index
    elif is_real(outline) and not isinstance(outline, bool):
        yield name, float(outline)
    elif isinstance(outline, dict):
        yield from _named({f"{name}[{key!r}]": x for key, x in outline.items()})
    elif isinstance(outline, list | tuple):
        yield from _named({f"{name}[{k}]": x for k, x in enumerate(outline)})
    elif isinstance(outline, ArrayOutline):
        places = itertools.product(*map(range, outline.shape))
        for place, x in zip(places, outline.items, strict=True):
            yield from _results(name + "".join(f"[{k}]" for k in place), x)
    elif isinstance(outline, ObjectOutline):
        yield from _named({f"{name}.{field}": x for field, x in outline.parts.items()})


def _named(parts: dict[str, Any]) -> Iterator[tuple[str, int | float]]:
    for name, x in parts.items():
        yield from _results(name, x)


#: A name that ends in indices in brackets, perhaps followed by closing brackets.
_COUNTED = re.compile(r"(.*?)((?:\[\d+\])+)(\)*)")


def layout(names: Sequence[str], most: int = 200) -> list[str]:
    """Return lines that describe a layout; consecutive numbers of one container share a line.

    Examples
    --------
    >>> layout(["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]", "b"])
    ['0 to 3: w[0][0] to w[1][1]', '4: b']
    """
    lines: list[str] = []
    start = 0
    for k in range(1, len(names) + 1):
        if k == len(names) or not _follows(names[k - 1], names[k]):
            last = f" to {names[k - 1]}" if k - 1 > start else ""
            places = f"{start} to {k - 1}" if last else f"{start}"
            lines.append(f"{places}: {names[start]}{last}")
            start = k
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"… and so on, to {len(names) - 1}: {names[-1]}"]


def _follows(name: str, after: str) -> bool:
    """Return whether a name is the next after another in a nested list."""
    a, b = _COUNTED.fullmatch(name), _COUNTED.fullmatch(after)
    if a is None or b is None or (a[1], a[3]) != (b[1], b[3]):
        return False
    here, there = ([int(x) for x in re.findall(r"\d+", found[2])] for found in (a, b))
    if len(here) != len(there):
        return False
    place = next(k for k, (x, y) in enumerate(zip(here, there, strict=True)) if x != y)
    return there[place] == here[place] + 1 and not any(there[place + 1 :])
