"""Print scheduled loops as a C99 function, by translating their LLVM IR line by line.

    %v18 = call double @llvm.fma.f64(double %v17, double %v17, double %p11)
    double v18 = fma(v17, v17, p11);

Compiled with ``-ffp-contract=off``, only the ``fma`` of the source are fused, and the function has
the digits of machine code.
"""

from __future__ import annotations

import re
import struct

from scalargrad.compiler.nests.equations import Body
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.printer import print_llvm

#: The beginning of a file, which turns off warnings of variables and parameters that are not read.
HEAD = """\
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
static inline int64_t sg_bits(double x) { int64_t i; memcpy(&i, &x, 8); return i; }
static inline double sg_double(int64_t i) { double x; memcpy(&x, &i, 8); return x; }
"""
_TYPES = {"double": "double", "i64": "int64_t", "i1": "int", "ptr": "double *"}
#: The types of results that are not those of the last operand.
_RESULTS = {"load": "double", "getelementptr": "double *", "fcmp": "int", "icmp": "int"}
#: The form of instructions in C; numbers stand for their operands.
_WRITTEN = {
    "fadd": "{0} + {1}", "fsub": "{0} - {1}", "fmul": "{0} * {1}", "fdiv": "{0} / {1}",
    "frem": "fmod({0}, {1})", "fneg": "-({0})", "select": "{0} ? {1} : {2}",
    "fcmp olt": "{0} < {1}", "fcmp ole": "{0} <= {1}", "fcmp ogt": "{0} > {1}",
    "fcmp oge": "{0} >= {1}", "fcmp oeq": "{0} == {1}", "fcmp une": "{0} != {1}",
    "fcmp uge": "!({0} < {1})", "fcmp uno": "isunordered({0}, {1})",
    "icmp slt": "{0} < {1}", "icmp ult": "{0} < {1}", "icmp sgt": "{0} > {1}",
    "icmp ne": "{0} != {1}", "and": "{0} & {1}", "or": "{0} | {1}", "xor": "{0} ^ {1}",
    "add": "(int64_t)((uint64_t){0} + (uint64_t){1})", "add nuw nsw": "{0} + {1}",
    "sub": "(int64_t)((uint64_t){0} - (uint64_t){1})", "add nsw": "{0} + {1}",
    "sub nsw": "{0} - {1}", "mul nsw": "{0} * {1}", "shl": "(int64_t)((uint64_t){0} << {1})",
    "ashr": "{0} >> {1}", "lshr": "(int64_t)((uint64_t){0} >> {1})", "load": "*{0}",
    "getelementptr": "{0} + {1}", "sitofp": "(double){0}", "fptosi": "(int64_t){0}",
}  # fmt: skip
_FUNCTION = re.compile(r"define (\w+) @(\S+)\((.*?)\) nounwind {\nentry:\n(.*?)^}", re.M | re.S)


def print_c(body: Body, plan: Plan, name: str = "run") -> str:
    """Return the source of a function of C.

    The function takes a pointer to memory, which is as `plan` says before the first run. No loop
    may have lanes.
    """
    module, _ = print_llvm(body, plan, name)
    heads, bodies = [], []
    for kind, function, given, lines in _FUNCTION.findall(module.text()):
        parameters = given.replace("ptr noalias ", "double *restrict ").replace("%", "")
        linkage = "static " * (function != name)
        heads.append(f"{linkage}{kind} {_value('@' + function)}({parameters})")
        bodies.append("\n".join(["{", *_lines(lines.splitlines()), "}\n"]))
    declared = (f"{head};" for head in heads)
    return "\n".join([HEAD, *declared, *map(" ".join, zip(heads, bodies, strict=True))])


def number_text(x: float) -> str:
    """Write a number exactly, as C."""
    return repr(float(x)).replace("inf", "INFINITY").replace("nan", "NAN")


def _value(word: str) -> str:
    """Return an operand or the name of a function as C writes it."""
    if word.startswith("0x"):
        return number_text(*struct.unpack(">d", bytes.fromhex(word[2:])))
    name = word.removeprefix("@llvm.").removesuffix(".f64")
    return name.lstrip("@%").replace(".", "_")


def _lines(lines: list[str]) -> list[str]:
    """Return the statements of a function, whose basic blocks have labels.

    The values of the next block's variables (phis) are noted at a block's end, and assigned there.
    """
    declared, noted = list[str](), dict[str, list[str]]()
    for text in lines:
        if " = phi " in text:
            result, kind, *ways = re.findall(r"[^\s,\[\]=]+", text.replace(" phi ", " "))
            name = _value(result)
            declared.append(f"{_TYPES[kind]} {name}, {name}_next;")
            for x, block in zip(ways[::2], ways[1::2], strict=True):
                noted.setdefault(block, []).append(f"{name}_next = {_value(x)};")
    found, label = [" ".join(declared)], "entry"
    for text in lines:
        if text.endswith(":"):
            label = text[:-1]
            found.append(f"{label}:;")
        elif " = phi " in text:
            found[-1] += f" {_statement(text)}"
        else:
            found.append(_statement(text))
            if text.startswith("  br "):
                found[-1] = " ".join([*noted.get(f"%{label}", ()), found[-1]])
    return found


def _statement(text: str) -> str:
    """Return an instruction as C."""
    result, _, said = text.strip().rpartition(" = ")
    words = re.findall(r"[^\s,()\[\]]+", said.replace(", align 8", ""))
    place = next(k for k, word in enumerate(words) if word in _SAID_OF_OPERANDS)
    name, kinds = " ".join(words[:place]), [x for x in words if x in _TYPES]
    values = [_value(x) for x in words[place:] if x not in _SAID_OF_OPERANDS]
    if name == "ret":
        return f"return {''.join(values)};"
    if name == "br":
        to = [f"goto {x};" for x in values[-2:]]
        return f"if ({values[0]}) {to[0]} else {to[1]}" if len(values) > 1 else to[0]
    if name == "store":
        return f"*{values[1]} = {values[0]};"
    if name == "phi":
        return f"{_value(result)} = {_value(result)}_next;"
    if name == "call":
        found = f"{values[0]}({', '.join(values[1:])})"
    elif name == "bitcast":
        found = f"{'sg_double' if kinds[-1] == 'double' else 'sg_bits'}({values[0]})"
    else:
        found = _WRITTEN[name].format(*values)
    kind = _RESULTS.get(name.split()[0]) or _TYPES[kinds[-1]]
    return f"{kind} {_value(result)} = {found};"


_SAID_OF_OPERANDS = {*_TYPES, "to", "label", "void"}
