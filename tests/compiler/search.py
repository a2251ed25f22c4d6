"""A search through seeds from the command line, which continues where it stopped."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

#: The result of a seed whose program is refused, or is not of the kind that is compared.
NOT_COMPARED = "not compared"


def main(compare: Callable[[int], str], name: str) -> int:
    """Compare seeds, except those in the file of notes; return 1 if any differs.

    Parameters
    ----------
    compare : callable
        Returns the difference for a seed, '' if there is none.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.compiler.{name}")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=2000, help="how many seeds")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no seed after them")
    parser.add_argument("--notes", type=Path, help="what was done, and differs")
    parser.add_argument(
        "--first", dest="stops", action="store_true", help="end with the first that differs"
    )
    options = parser.parse_args()
    notes = options.notes or Path(f"fuzz/found/{name}.txt")
    notes.parent.mkdir(parents=True, exist_ok=True)
    known = _read_notes(notes)
    begun, count, wrong = time.monotonic(), 0, 0
    for seed in range(options.first, options.first + options.count):
        if seed not in known and time.monotonic() - begun < options.seconds:
            _append_note(notes, f"{seed} ended the process")  # unless a later line replaces it
            try:
                known[seed] = compare(seed)
            except Exception as error:  # noqa: BLE001 - recorded; the next seed follows
                known[seed] = f"{type(error).__name__}: {error}"
            _append_note(notes, f"{seed} {known[seed]}")
        count += seed in known
        if known.get(seed) not in {None, "", NOT_COMPARED}:
            wrong += 1
            print(f"seed {seed} {known[seed]}", flush=True)
            if options.stops:
                break
    left = [*known.values()].count(NOT_COMPARED)
    print(f"{count:,} compared: {wrong} seeds differ, {left} are {NOT_COMPARED}; see {notes}")
    return wrong > 0


def _append_note(notes: Path, line: str) -> None:
    with notes.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _read_notes(notes: Path) -> dict[int, str]:
    """Return the latest line of each seed in the file of notes."""
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    return {int(seed): rest for seed, _, rest in (line.partition(" ") for line in lines)}
