"""Draw programs that read captured state: source text joined from the parts of `captured_parts`."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any

from tests.compiler import captured_cases
from tests.compiler.captured_parts import (
    CHANGES,
    FORMS,
    HELPERS,
    INNER,
    LEAVES,
    NAME_CHANGES,
    NAME_EXPRESSIONS,
    NAMES,
    OBJECTS,
    OF_LEAVES,
    PLACES,
    ROUTES,
    Leaf,
)  # fmt: skip

#: Number of calls of each program; a change is made before each but the first.
CALLS = 4

#: Modules that a program imports if it names them.
MODULES = [
    "abc",
    "argparse",
    "ast",
    "asyncio",
    "builtins",
    "calendar",
    "cmd",
    "codecs",
    "collections",
    "concurrent.futures",
    "configparser",
    "contextlib",
    "contextvars",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "email.message",
    "email.utils",
    "enum",
    "fractions",
    "functools",
    "gc",
    "gettext",
    "glob",
    "graphlib",
    "gzip",
    "html.parser",
    "http.cookies",
    "importlib",
    "inspect",
    "io",
    "itertools",
    "json",
    "linecache",
    "locale",
    "logging",
    "mailbox",
    "math",
    "mmap",
    "multiprocessing",
    "numbers",
    "operator",
    "optparse",
    "os",
    "pathlib",
    "pickle",
    "pprint",
    "queue",
    "random",
    "re",
    "secrets",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "socket",
    "sched",
    "sqlite3",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "sys",
    "tarfile",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "timeit",
    "tomllib",
    "types",
    "typing",
    "unicodedata",
    "unittest",
    "unittest.mock",
    "urllib.request",
    "uuid",
    "warnings",
    "weakref",
    "xml.etree.ElementTree",
    "zipfile",
    "zlib",
]
_HOLE = re.compile(
    r"\$(?P<body>body)(?P<depth>\d+)|\$(reversed|in_place|methods|inner|form|head|tail|bases|"
    r"new|use|k|n|o|v)"
)


@dataclass
class Program:
    """A program, its parts by kind, and how its calls are judged.

    Attributes
    ----------
    parts : dict of str
        The kind of each part and its name.
    source : str
        Definitions of ``call(x)`` and of ``change_1()`` and so on.
    arguments : list of str
        Expressions for x, one for each call.
    has_file : bool
        Whether its source lies in a file.
    files : dict of str
        Modules beside it, by name.
    judged : str
        "equal" to eager calls; "clock": a result of its own at each call, or refused; "refused".
    """

    parts: dict[str, str]
    source: str
    arguments: list[str] = field(default_factory=lambda: ["2.0"] * CALLS)
    has_file: bool = False
    files: dict[str, str] = field(default_factory=dict)
    judged: str = "equal"

    @property
    def route(self) -> str:
        """The part by which failures are counted."""
        return self.parts["route"]

    def __str__(self) -> str:
        parts = ", ".join(f"{kind}: {name}" for kind, name in self.parts.items())
        where = "in a file" if self.has_file else "without a file"
        files = "".join(
            f"\n# {name}.py\n{indent(text, '#   ')}" for name, text in self.files.items()
        )
        return (
            f"# {parts}\n# called with {', '.join(self.arguments)}; {where}{files}\n{self.source}"
        )


def imports(source: str) -> str:
    """Return the import statements for the modules that a source names."""
    found = [m for m in MODULES if re.search(rf"(?<![\w.]){re.escape(m)}\b(?!\s*=)", source)]
    lines = [f"import {m}" for m in found]
    if re.search(r"\bnp\.", source):
        lines.append("import numpy as np")
    if re.search(r"\bsg\b", source):
        lines.append("import scalargrad as sg")
    names = [
        "Parameter",
        "Value",
        "custom_vjp",
        "drawn",
        "grad",
        "jit",
        "nn",
        "optim",
        "scan",
        "vmap",
    ]
    used = [name for name in names if re.search(rf"\b{name}\b", source)]
    if used:
        lines.append(f"from scalargrad import {', '.join(used)}")
    return "\n".join(lines) + "\n"


def filled(text: str, holes: dict[str, str]) -> str:
    """Return a text with its holes filled, also those in what fills them."""

    def of(match: re.Match[str]) -> str:
        if match["body"]:
            return indent(holes["body"], " " * int(match["depth"]))
        return holes.get(match[3], match[0])

    for _ in range(6):
        if "$" not in text:
            break
        text = _HOLE.sub(of, text)
    return text


def arguments(r: random.Random, form: str = "jit") -> list[str]:
    """Return expressions for the argument of each call."""
    if form in {"jit of grad", "vmap", "scan"} or r.random() < 0.5:
        return ["2.0"] * CALLS
    if r.random() < 0.4:
        return ["Value(2.0)"] * CALLS
    kinds = ["2.0", "3.0", "2", "Value(2.0)", "np.float64(2.0)", "Parameter(3.0)", "True"]
    return r.choices(kinds, k=CALLS)


def drawn_program(seed: int) -> Program:
    """Return the program of a seed."""
    r = random.Random(seed)
    if r.random() < 0.35:
        program = Program(**captured_cases.drawn_case(r, arguments, CALLS))
    else:
        program = _of_parts(r)
    program.has_file = bool(program.files) or r.random() < 0.5
    program.source = imports(program.source + " ".join(program.arguments)) + program.source
    return program


def _chosen(r: random.Random, parts: dict[str, Any], first: str, odds: float) -> str:
    """Return the name of a part: `first` at some odds, so that few things are unusual at once."""
    return first if r.random() < odds else r.choice([*parts])


def _of_parts(r: random.Random) -> Program:
    """Return a program of an object, a place, a route, a leaf and changes."""
    route_name = r.choice([*ROUTES])
    route = ROUTES[route_name]
    names = NAMES if r.random() < 0.1 else NAMES[:-2]
    k = r.choice(names)
    unusual = r.randrange(4)  # which part besides the route is not the usual one
    kind = _chosen(r, OBJECTS, "instance", 0.0 if unusual == 0 else 0.6)
    place = _chosen(r, PLACES, "global", 0.0 if unusual == 1 else 0.4)
    leaf_name = route.leaf or _chosen(r, LEAVES, "number", 0.2 if unusual == 2 else 0.7)
    form = _chosen(r, FORMS, "jit", 0.2 if unusual == 3 else 0.85)
    name_kind = _chosen(r, NAME_EXPRESSIONS, "f-string", 0.2) if "$n" in f"{route}" else "literal"
    return compose(
        r, k, route=route_name, kind=kind, place=place, leaf=leaf_name, form=form, name=name_kind
    )


def compose(
    r: random.Random,
    k: str,
    *,
    route: str,
    kind: str,
    place: str,
    leaf: str,
    form: str = "jit",
    name: str = "literal",
) -> Program:
    """Return a program of named parts; the rest is drawn."""
    if "cached property" in route and "dataclass" in kind:
        place = "global"  # a dataclass that is an argument is a copy, which caches for itself
    reads, held = ROUTES[route], LEAVES[leaf]
    cut = r.randrange(1, len(k)) if len(k) > 1 else 0
    n, lines, setup = NAME_EXPRESSIONS[name]
    first = r.choice(held.first)
    expression, around = PLACES[place]
    holes = {
        "k": k, "head": k[:cut], "tail": k[cut:], "reversed": k[::-1], "n": n, "o": expression,
        "v": first, "inner": r.choice(INNER), "form": FORMS[form],
        "use": r.choice(held.uses) if r.random() < 0.6 or leaf != "number" else "x * r",
    }  # fmt: skip
    final = reads.use or "$use"
    body = [lines] if "{t}" in n or " t" in n else []
    body += [*filter(None, [reads.lines, f"r = {reads.read}", f"return {final}"])]
    holes["body"] = filled("\n".join(body), holes)
    methods = [reads.methods] if reads.methods else []
    head = "@$form\ndef f(self, x):"
    own = {"self": head, "self of two objects": head,
           "self of a bound method": "def plain(self, x):",
           "self that is called": "def __call__(self, x):"}  # fmt: skip
    if place in own:
        methods.append(own[place] + "\n$body4")
    holes["methods"] = indent(filled("\n".join(methods), holes), "    ") or "    pass"
    classes, make = OBJECTS[kind]
    parts = [
        classes, f"def make():\n{indent(make, '    ')}", setup if "$n" in f"{reads}" else "",
        reads.setup, around,
    ]  # fmt: skip
    parts += [helper for call, helper in HELPERS.items() if call in reads.read]
    source = "\n".join(filled(part, holes) for part in parts if part)
    if "class Meta(type)" in source:  # a class without a hash cannot be used with functools, either
        source = source.replace("__hash__ = None", "__hash__ = type.__hash__")
    if re.search(r"\b(Inner|Other|times|of_globals|head|FACTOR|Node)\b", source):
        source = OF_LEAVES + source
    for j in range(1, CALLS):
        source += _change(r, j, held, holes, source)
    named = {"route": route, "object": kind, "place": place, "leaf": leaf, "form": form}
    if "$n" in f"{reads}":
        named["name"] = name
    return Program(named, source, arguments(r, form))


def _change(r: random.Random, j: int, leaf: Leaf, holes: dict[str, str], source: str) -> str:
    """Return the definition of a change before call j."""
    named = [text for start, text in NAME_CHANGES.items() if f"\n{start}" in source]
    if named and r.random() < 0.12:
        change = r.choice(named)
    else:
        likely = ["assignment", "assignment", "in place"] if leaf.in_place else ["assignment"] * 2
        names = [*likely] * 8 + [name for name in CHANGES if leaf.in_place or "place" not in name]
        if "Cfg" not in source or "Cfg[" in source:  # classes of libraries are not changed
            names = [name for name in names if "type(o)" not in CHANGES[name]]
        elif "class Cfg(" in source and "class Base" not in source:
            names = [name for name in names if "__mro__" not in CHANGES[name]]
        change = CHANGES[r.choice(names)]
    new = r.choice([*leaf.others, *leaf.others, *leaf.first])
    more = {**holes, "new": new, "in_place": r.choice(leaf.in_place or ["pass"])}
    text = filled(change, more)
    uses = "o = get()\n" if re.search(r"\bo\b", text) else ""
    return f"def change_{j}():\n{indent(uses + text, '    ')}\n"
