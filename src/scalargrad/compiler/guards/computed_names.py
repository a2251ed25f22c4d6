"""Find whether code looks up names that do not stand in it: ``getattr(module, name)``."""

from __future__ import annotations

import dis
import functools
import itertools
from collections.abc import Sequence
from types import CodeType
from typing import Any

Steps = Sequence[dis.Instruction]

#: At which place of a call the text stands that says what is looked up.
_PLACES = {"attrgetter": 0, "eval": 0, "exec": 0} | dict.fromkeys(
    ("delattr", "getattr", "hasattr", "setattr"), 1
)
#: What looks names up in the globals of the code that calls it, or is these.
OF_GLOBALS = {"eval", "exec", "globals", "__globals__", "f_globals"}
#: What returns or is a namespace.
_SPACES = {"__dict__", "globals", "__globals__", "f_globals", "vars"}
_WORDS = _SPACES | _PLACES.keys()
#: What reads attributes without their names, besides a pattern that matches a class.
_UNNAMED = {"__getattribute__", "__getstate__", "__reduce_ex__", "getmembers", "getattr_static"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
#: Python 3.11 takes two steps for a call.
_CALL, *_NO_STEPS = [x for x in ("PRECALL", "CALL", "CACHE", "EXTENDED_ARG") if x in dis.opmap]


@functools.cache
def computed_lookups(code: CodeType) -> frozenset[str]:
    """Return by which words code looks names up that it computes, nested functions included."""
    inner = [computed_lookups(x) for x in code.co_consts if isinstance(x, CodeType)]
    if _WORDS.isdisjoint(code.co_names):
        return frozenset().union(*inner)
    steps = [x for x in dis.get_instructions(code) if x.opname not in _NO_STEPS]
    words = {(x.argval, i) for i, x in enumerate(steps) if _is_word(x)}
    known = {(x, i) for x, i in words if _is_of_self(x, steps, i) or _is_known(x, steps[i + 1 :])}
    return frozenset(word for word, _ in words - known).union(*inner)


@functools.cache
def reads_unnamed(code: CodeType) -> bool:
    """Return whether code may read attributes whose names do not stand in it, besides by lookups.

    Nested functions are included.
    """
    inside = any(reads_unnamed(x) for x in code.co_consts if isinstance(x, CodeType))
    matches = dis.opmap["MATCH_CLASS"] in code.co_code[::2]
    return inside or matches or not _UNNAMED.isdisjoint(code.co_names)


def _is_word(step: dis.Instruction) -> bool:
    return step.opname.startswith("LOAD_") and step.opname != "LOAD_CONST" and step.argval in _WORDS


def _is_of_self(word: str, steps: Steps, i: int) -> bool:
    """Return whether the names are those of ``self``, which is no module."""
    if word == "__dict__":
        return bool(_loaded(steps[i - 1])[-1] == "self")
    if word in OF_GLOBALS or _loaded(steps[i + 1])[0] != "self":
        return False
    return steps[i + 2].opname not in _ATTRIBUTES and not _is_item(steps[i + 2])


def _loaded(step: dis.Instruction) -> tuple[Any, ...]:
    """Return the variables that a step loads: from Python 3.13 on, they may be two."""
    return step.argval if isinstance(step.argval, tuple) else (step.argval,)


def _is_known(word: str, ahead: Steps) -> bool:
    """Return whether the name that is looked up is seen to be a constant of the code."""
    if word in _PLACES:
        return _is_constant(_PLACES[word], ahead)
    called = itertools.dropwhile(lambda x: x.opname == _CALL and x.arg == 0, ahead)
    return [_is_item(x) or x.opname for x in itertools.islice(called, 2)] == ["LOAD_CONST", True]


def _is_item(step: dis.Instruction) -> bool:
    """Return whether a step is ``x[y]``; from Python 3.14 on, it is a binary operation."""
    return step.opname == "BINARY_SUBSCR" or "[]" in step.argrepr


def _is_constant(place: int, ahead: Steps) -> bool:
    """Return whether an argument of the call whose function was just loaded is a constant."""
    depth, found = 0, False
    for step in ahead:
        if step.opname == _CALL and step.arg == depth:
            return found
        if "JUMP" in step.opname:
            return False
        grows = -1 - (step.arg or 0)
        if step.opname != _CALL:
            grows = dis.stack_effect(step.opcode, step.arg, jump=False)
        if depth == place:
            found = step.opname == "LOAD_CONST"
        elif (
            grows <= 0 and depth - (1 - grows) <= place
        ):  # it takes the argument, and leaves another
            found = False
        depth += grows
    return False
