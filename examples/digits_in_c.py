"""Handwritten digits read by a program in C: a network trained here, exported and compiled.

It writes three files, ``digits.c`` and ``digits.h``, the trained network as a function of 64
numbers, and ``read_digit.c``, a program that reads images and prints the digits. Run with

    python examples/digits_in_c.py
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scalargrad import data, jit
from scalargrad.losses import cross_entropy
from scalargrad.nn import Linear, Module, ReLU, Sequential
from scalargrad.optim import Adam
from scalargrad.train import fit

READER = """\
#include <stdio.h>
#include "digits.h"

int main(void) {
  double image[DIGITS_INPUTS], scores[DIGITS_OUTPUTS];
  for (;;) {
    for (int i = 0; i < DIGITS_INPUTS; i++)
      if (scanf("%lf", &image[i]) != 1) return 0;
    digits(image, scores);
    int best = 0;
    for (int k = 1; k < DIGITS_OUTPUTS; k++)
      if (scores[k] > scores[best]) best = k;
    printf("%d\\n", best);
  }
}
"""


def train_network(epochs: int = 4) -> Module:
    """Return a network of one hidden layer, trained on 8 × 8 images of digits."""
    examples, _ = data.digits()
    model = Sequential(Linear(64, 20, rng=0), ReLU(), Linear(20, 10, rng=1))
    optimizer = Adam(model.parameters(), lr=0.02)
    fit(model, *examples, loss=cross_entropy, optimizer=optimizer, epochs=epochs, quiet=True)
    return model


def write(model: Module, folder: Path) -> list[Path]:
    """Write the network and the program that calls it as files of C."""
    images = data.digits()[1].inputs
    files = jit(model).export(folder / "digits.c", list(images[0]))
    reader = folder / "read_digit.c"
    reader.write_text(READER, encoding="utf-8")
    return [*files, reader]


def build(folder: Path) -> Path:
    """Compile the files with the C compiler of this machine."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler here: install gcc")
    program = folder / "read_digit"
    sources = [str(folder / name) for name in ("read_digit.c", "digits.c")]
    strict = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([compiler, *strict, *sources, "-o", str(program), "-lm"], check=True)
    return program


def read(program: Path, images: Sequence[Sequence[float]]) -> list[int]:
    """Run the program on images, and return the digits it prints."""
    text = "\n".join(" ".join(map(repr, map(float, image))) for image in images)
    done = subprocess.run([str(program)], input=text, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def main() -> None:
    """Train, export and compile a network, and read the held-out digits with it."""
    folder = Path("digits-in-c")
    folder.mkdir(exist_ok=True)
    for path in write(train_network(), folder):
        print(f"wrote {path}")
    _, held_out = data.digits()
    found = read(build(folder), held_out.inputs)
    hits = sum(a == b for a, b in zip(found, held_out.targets, strict=True))
    print(f"{hits} of {len(found)} held-out digits read correctly, in C")


if __name__ == "__main__":
    main()
