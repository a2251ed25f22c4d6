"""The disk cache of compiled code: use by later processes, damage, size, forks.

The cache is in a folder below XDG_CACHE_HOME. A program with other constants or custom operations
is never confused with a cached one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.timeouts import TIMEOUT

import scalargrad as sg
from scalargrad import jit, value_and_grad

#: A script with an irregular loss, which is a long program, with constants, and a custom operation.
SCRIPT = """
import sys
from scalargrad import atan2, custom_op, jit, sin, value_and_grad, vmap

def loss(p):
    total = 0.0
    for k in range(1_000):
        total = total + sin(p[0] * (k * k % 17)) * p[(7 * k * k) % 5]
    return total

def angle(height):
    return jit(value_and_grad(lambda x: atan2(height, x)))(-1.0)[0]

def own(factor):
    scaled = custom_op(partials=lambda y, x: (factor,))(lambda x: factor * x)
    return jit(value_and_grad(lambda x: sum(scaled(x * k) for k in range(1_000))))(1.5)

print(jit(value_and_grad(loss))([0.1, 0.2, 0.3, 0.4, 0.5]))
print([angle(height) for height in (0.5, -0.5, 0.0, -0.0)], own(float(sys.argv[1])))
print(jit(lambda y: sum(vmap(lambda x: sin(x * y))([0.1 * k for k in range(500)])))(1.0))
"""


def run(cache: Path, *arguments: str, script: str = SCRIPT, **environment: str) -> Any:
    """Run a script in a new process with its own cache folder."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache.parent), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )


def cached_files(cache: Path) -> dict[Path, tuple[int, bytes]]:
    """Return the inode and the content of each file in a cache."""
    files = [x for x in cache.rglob("*") if x.is_file()]
    return {x: (x.stat().st_ino, x.read_bytes()) for x in files}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the cache of a first process, and its output."""
    cache = tmp_path_factory.mktemp("first") / "cache"
    return cache, run(cache, "2").stdout


def test_a_second_process_uses_the_disk_cache(first: tuple[Path, str]) -> None:
    """It writes no file and has equal digits; another custom operation has its own results."""
    cache, output = first
    files = cached_files(cache)
    assert files
    assert run(cache, "2").stdout == output
    assert cached_files(cache) == files
    other = run(cache, "3").stdout
    assert other == output.replace("(1498500.0, 999000.0)", "(2247750.0, 1498500.0)")
    assert other != output


def test_damaged_files_in_the_disk_cache_are_replaced(tmp_path: Path) -> None:
    """Files that are empty, truncated or changed are not run."""
    cache = tmp_path / "cache"
    output = run(cache, "2").stdout
    whole = {path: content for path, (_, content) in cached_files(cache).items()}
    for k, (path, content) in enumerate(sorted(whole.items())):
        path.write_bytes((b"", content[:-1], content[:99] + b"!" * 9)[k % 3])
    done = run(cache, "2")
    assert (done.stdout, done.stderr) == (output, "")
    found = cached_files(cache)
    assert {path: len(content) for path, (_, content) in found.items()} == {
        path: len(content) for path, content in whole.items()
    }


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"


@pytest.mark.parametrize("obstacle", ["file in its place", "full disk"])
def test_a_disk_cache_that_cannot_be_written_is_one_warning(
    first: tuple[Path, str], tmp_path: Path, obstacle: str
) -> None:
    """Code is then compiled for this process only."""
    cache = tmp_path / "cache"
    if obstacle == "file in its place":
        cache.write_text("a file")
        done = run(cache, "2")
    else:
        pytest.importorskip("resource", reason="a limit on files stands for a full disk")
        done = run(cache, "2", script=FULL + SCRIPT)
        assert not [content for _, content in cached_files(cache).values() if content]
    assert done.stdout == first[1]
    assert done.stderr.count("cannot be kept") == 1


LARGE = """
import random, scalargrad as sg
draws = random.Random(0)
terms = [(draws.randrange(50), draws.randrange(50)) for _ in range(100_000)]
sg.jit(lambda p: sum(sg.sin(p[i] * p[j]) * p[j] for i, j in terms))([0.1] * 50)
"""


@pytest.mark.wide
def test_disk_cache_removes_old_files_beyond_its_maximum_size(tmp_path: Path) -> None:
    """Of a gigabyte of old files less than half remains; files in use remain."""
    cache = tmp_path / "cache"
    run(cache, "2")
    (folder,) = {path.parent for path in cached_files(cache)}
    used = {path.name for path in folder.iterdir()}
    for k in range(64):
        old = folder / f"{k:032x}"
        with old.open("wb") as file:
            file.truncate(2**24)
        os.utime(old, (1e9, 1e9))
    run(cache, script=LARGE)
    files = [*folder.iterdir()]
    assert sum(path.stat().st_size for path in files) < 2**29
    assert used <= {path.name for path in files}


FORK = """
import os, sys, threading, scalargrad as sg

def compiled(k):
    names = [sg.sin, sg.tanh, sg.exp]
    def chain(x):
        for i in range(400):
            x = names[i * i * k % 3](-x) * 0.5
        return x
    return sg.jit(chain)(0.1 * k)

expected = [compiled(k) for k in range(1, 4)]
threads = [threading.Thread(target=compiled, args=(k,)) for k in range(4, 12)]
for thread in threads:
    thread.start()
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0 if [compiled(k) for k in range(1, 4)] == expected else 1)
    children.append(child)
for thread in threads:
    thread.join()
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_during_compilation_does_not_deadlock(tmp_path: Path) -> None:
    """The child does not inherit a lock that no thread would release."""
    assert run(tmp_path / "cache", script=FORK).returncode == 0


# Cache in memory ----------------------------------------------------------------------------------


def test_jit_distinguishes_custom_operations_of_equal_name() -> None:
    """A notebook cell that is run again may define it differently."""

    def times(factor: float) -> Callable[[Any], Any]:
        @sg.custom_op(partials=lambda y, x: (factor,))
        def scaled(x: float) -> float:
            return factor * x

        return lambda x: scaled(x) * x

    for factor in (2.0, 5.0, 3.0, 5.0):
        found = jit(value_and_grad(times(factor)))(1.5)
        assert found == pytest.approx((factor * 2.25, factor * 3.0), rel=1e-15)
