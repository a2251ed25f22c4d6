"""Workers of a cluster: three processes of Dask's, one of which is killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.parallel import work

from scalargrad.parallel import sum_over, sweep

distributed = pytest.importorskip("distributed", reason="distributed is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def executor() -> Iterator[Any]:
    """Start a cluster on this machine."""
    if "spawn" not in multiprocessing.get_all_start_methods():
        pytest.skip("the platform has no spawn")
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=":0", memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


def test_a_cluster_gives_the_bits_of_one_process(executor: Any) -> None:
    """In three worker processes, call after call."""
    alone = sum_over(work.value_and_slope, work.POINTS, chunks=6)(work.WEIGHTS)
    total = sum_over(work.value_and_slope, work.POINTS, executor, chunks=6)
    assert [total(work.WEIGHTS) for _ in range(3)] == [alone] * 3


def test_a_killed_worker_loses_nothing_and_changes_no_bit(executor: Any, tmp_path: Path) -> None:
    """The worker kills itself over a chunk; the cluster gives it to another."""
    alone = sum_over(work.value_and_slope, work.POINTS, chunks=6)(work.WEIGHTS)
    marked = tmp_path / "killed"
    total = sum_over(work.dies_in_the_middle, work.POINTS, executor, chunks=6)
    assert total((work.WEIGHTS, str(marked))) == alone
    assert marked.exists()


def test_a_sweep_loses_no_point_to_a_killed_worker(executor: Any, tmp_path: Path) -> None:
    """All points are computed, in order."""
    points = [(x, str(tmp_path / "killed")) for x in range(6)]
    found = sweep(work.square_unless_killed, points, executor, quiet=True)
    assert found == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "killed").exists()
