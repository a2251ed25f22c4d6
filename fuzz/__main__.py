"""Fuzz one target: ``python -m fuzz expression --seconds 600`` (needs Atheris)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz.json_mutator import mutated

CORPUS = Path(__file__).parent / "corpus"
JSON = {"checkpoint", "program", "safetensors", "state"}


def main() -> None:
    """Run libFuzzer on a target until the time is up or it finds something.

    What it found is left in the folder of the target's corpus as crash-…; run with that file's
    name in place of seconds to see it again: ``python -m fuzz expression --file crash-…``.
    """
    names = sorted(folder.name for folder in CORPUS.iterdir())
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=names)
    parser.add_argument("--seconds", type=int, default=600, help="how long (default: 600)")
    parser.add_argument("--file", type=Path, help="run this input alone, and show what it raises")
    chosen = parser.parse_args()
    if chosen.file:
        from fuzz.targets import TARGETS

        TARGETS[chosen.target](chosen.file.read_bytes())
        print("nothing raised")
        return
    import atheris

    with atheris.instrument_imports(include=["scalargrad"]):
        from fuzz.targets import TARGETS

    folder = CORPUS / chosen.target
    options = [f"-max_total_time={chosen.seconds}", f"-artifact_prefix={folder}/", "-timeout=60"]
    found = folder.parent.parent / "found" / chosen.target  # not committed
    found.mkdir(parents=True, exist_ok=True)

    def changed(data: bytes, most: int, seed: int) -> bytes:
        return mutated(data, most, seed, atheris.Mutate)

    structured = {"custom_mutator": changed} if chosen.target in JSON else {}
    arguments = [sys.argv[0], *options, str(found), str(folder)]
    atheris.Setup(arguments, TARGETS[chosen.target], **structured)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
