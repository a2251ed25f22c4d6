"""Keys as terminals send them."""

from __future__ import annotations

import pytest

from scalargrad.show.steps.keys import actions


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("\x1b[C", "next"),
        ("\x1bOC", "next"),
        ("\x1b[B", "next"),
        ("n", "next"),
        (" ", "next"),
        ("\r", "next"),
        ("\n", "next"),
        ("\x1b[D", "previous"),
        ("\x1bOD", "previous"),
        ("\x1b[A", "previous"),
        ("p", "previous"),
        ("\x1b[H", "first"),
        ("\x1bOH", "first"),
        ("\x1b[1~", "first"),
        ("g", "first"),
        ("\x1b[F", "last"),
        ("\x1bOF", "last"),
        ("\x1b[4~", "last"),
        ("G", "last"),
        ("q", "quit"),
        ("\x1b", "quit"),
        ("\x03", "quit"),
        ("\xe0M", "next"),
        ("\xe0K", "previous"),
        ("\xe0G", "first"),
        ("\xe0O", "last"),
    ],
)
def test_every_key_asks_for_its_action(typed: str, asked: str) -> None:
    """As xterm, the Linux console, rxvt and Windows send it."""
    assert actions(typed) == [asked]


def test_keys_typed_fast_are_told_apart() -> None:
    """A key held down arrives as one string."""
    assert actions("\x1b[C\x1b[Cn\x1b[D") == ["next", "next", "next", "previous"]


def test_other_keys_ask_for_nothing() -> None:
    """Among them sequences that begin as an arrow does, and letters Windows uses as a prefix."""
    assert actions("x\x1b[5~\x1b[1;5R\x1bOPà") == []
