"""The entry point: on Ctrl-C, even during imports, the command ends with one line."""

from __future__ import annotations

import sys

from scalargrad.command import INTERRUPTED, loaded


def main() -> None:
    """Run the command line."""
    try:
        from scalargrad.cli.main import main as run

        loaded()
        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
