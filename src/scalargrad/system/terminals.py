"""Terminals whose encoding lacks characters: these are printed in ASCII instead of failing."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TYPE_CHECKING, Any

from scalargrad.system.plain import plain

if TYPE_CHECKING:
    from rich.console import Console


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded: the handler of errors registered below."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return plain(lacking), error.end


codecs.register_error("scalargrad.plain", _stand_in)


def make_tolerant(stream: Any) -> None:
    """Let a text stream print characters that its encoding lacks in ASCII, instead of failing.

    A stream that replaces them in its own way, and one that is not a text file, stay as they are.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="scalargrad.plain")


def console(**options: Any) -> Console:
    """Return a console of Rich's, over a stream that takes every character."""
    from rich.console import Console

    make_tolerant(sys.stderr if options.get("stderr") else sys.stdout)
    return Console(**options)
