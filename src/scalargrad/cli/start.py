"""The entry point: Ctrl-C ends the command in a line, also while its packages are imported."""

from __future__ import annotations

import sys

#: What a shell reports of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from scalargrad.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
