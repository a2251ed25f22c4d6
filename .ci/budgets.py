"""Count lines of code by part against the table beside this file: ``python .ci/budgets.py``.

A line of code contains something other than a comment or a docstring. Each part of the project has
a limit in budgets.toml; above a limit, this fails.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".toml")
WEB = {".js", ".css", ".html"}
#: What separates statements, and what is no code.
ENDS = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
NOTHING = ENDS | {tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER}


def lines_of_python(text: str) -> int:
    """Return the number of lines of code of a text in Python."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    found: set[int] = set()
    before = tokenize.ENCODING
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        alone = before in ENDS and after.type in (tokenize.NEWLINE, tokenize.ENDMARKER)
        if token.type not in NOTHING and not (token.type == tokenize.STRING and alone):
            found.update(range(token.start[0], token.end[0] + 1))
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            before = token.type
    return len(found)


def lines_of_web(text: str) -> int:
    """Return the number of lines that are neither blank nor a comment alone."""
    bare = re.sub(r"/\*.*?\*/|<!--.*?-->|^\s*//[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)
    return sum(1 for line in bare.splitlines() if line.strip())


def files(part: dict[str, Any]) -> Iterator[Path]:
    """Yield the files of a part: those below its folders, but for those of other parts."""
    suffixes = WEB if part.get("web") else {".py"}
    for name in part["paths"]:
        place = ROOT / name
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        if not found or not place.exists():
            sys.exit(f"{TABLE.name}: there is no {name}")
        yield from (x for x in found if x.suffix in suffixes)


def main() -> int:
    """Print what each part counts, and return 1 if one is above its limit."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    excluded = {
        path
        for name in table.pop("excluded")
        for path in [ROOT / name, *(ROOT / name).rglob("*.py")]
    }
    seen: set[Path] = set()
    above = False
    print(f"{'part':44}{'lines':>8}{'limit':>8}{'files':>8}")
    for title, part in table.items():
        mine = {x for x in files(part) if x not in excluded}
        if not part.get("whole"):  # the sums of others come last
            mine -= seen
            seen |= mine
        count = lines_of_web if part.get("web") else lines_of_python
        lines = sum(count(x.read_text(encoding="utf-8")) for x in mine)
        most = part.get("files", 10**9)
        wrong = lines > part["limit"] or len(mine) > most
        above |= wrong
        end = "  above its limit: take out, or raise it with a reason" if wrong else ""
        print(f"{title:44}{lines:8}{part['limit']:8}{len(mine):8}{end}")
    return above


if __name__ == "__main__":
    sys.exit(main())
