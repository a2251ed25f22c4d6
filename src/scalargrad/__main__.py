"""The entry point of ``scalargrad`` and ``python -m scalargrad``.

On Ctrl-C, also while the commands are imported, it ends with one line.
"""

from __future__ import annotations

import os
import signal
import sys

#: The exit status of a command that Ctrl-C has ended.
INTERRUPTED = 130


def _end(*_signal_and_frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)  # nothing can enclose all imports in a try
    try:
        from scalargrad.cli import main as run

        if signal.getsignal(signal.SIGINT) is _end:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
