"""The entry point: on Ctrl-C, even during imports, the command ends with one line."""

from __future__ import annotations

import sys

#: The exit status of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from scalargrad.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
