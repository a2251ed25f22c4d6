"""``python -m scalargrad``: the command line, for when its script is not on the path."""

from __future__ import annotations

from scalargrad.cli.start import main

if __name__ == "__main__":
    main()
