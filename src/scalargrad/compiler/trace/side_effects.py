"""Detect side effects of a recorded function, which a program would not repeat.

A function can change its arguments and its surroundings: closure variables, defaults and globals.
Both are compared with snapshots from before the recording.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from scalargrad.compiler.trace.snapshots import Around, Contents, Note
from scalargrad.errors import TraceError

ELSEWHERE = (
    "{named} was changed by another thread while {compiled!r} was recorded, so it is not known "
    "what its program computes: call it again while nothing changes that, or pass it as an argument"
)


def unchanging(
    run: Callable[[], Any], around: Around, arguments: Any, compiled: Any, notes: list[Note]
) -> Callable[[], Any]:
    """Return `run` with a check for side effects that a program would not repeat.

    A change of an argument is allowed if the function returns that argument. So is an attribute
    that is new; it is added to `notes`.

    Parameters
    ----------
    run : callable
        Calls `function`.
    around : Around
        What is around the function before it runs, which must not change.
    arguments : list
        Its arguments.
    compiled : object
        The compiled function, which error messages name.

    Raises
    ------
    TraceError, ChangesError
        When called, if something else was changed. As the recording works on copies, the caller
        would see such a change only in eager calls.
    """

    def checked() -> Any:
        before = Contents(arguments)
        result = run()
        beside = Contents(result)
        for changed in before.changes(beside):
            raise TraceError(
                f"{compiled!r} changes {changed} among its arguments, which its program would not: "
                "change a copy, and return what is new"
            )
        notes[:] = before.notes(beside)
        if found := [*around.changes(before)]:
            raise ChangesError(_refused(compiled, found, made_again(run, around, before)[0]))
        return result

    return checked


class ChangesError(Exception):
    """A function has changed what is around it; that is taken back."""


def made_again(
    run: Callable[[], Any], around: Around, arguments: Contents
) -> tuple[list[str], set[int]]:
    """Undo changes, call a function again, and return those that it makes again.

    They are returned as descriptions, and as the identities of the objects. Of the others, which
    another thread seems to have made, all is written again.
    """
    now = around.changed()
    around.put_back()
    again = Around(around.function)
    with suppress(Exception):
        run()
    own, owned = [*again.changes(arguments)], again.changed()
    again.put_back()
    around.put_back({place: x for place, x in now.items() if place not in owned})
    return own, {*owned}


def _refused(compiled: Any, found: list[str], own: list[str]) -> str:
    """Return the message of changes, given those that the function makes again."""
    named = next((x for x in found if x in own), None)
    if named is None:
        return ELSEWHERE.format(named=found[0], compiled=compiled)
    return (
        f"{compiled!r} changes {named}, which is not an argument, and its program would not: pass "
        "it as an argument, and return what is new"
    )
