"""The page of sharp bits says of other libraries what the script finds that they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.measuring import in_fresh_process
from benchmarks.sharp_bits import CLAIMS

PAGE = Path(__file__).parents[2] / "docs" / "explained" / "sharp-bits.md"

SCRIPT = """
import json
from benchmarks.sharp_bits import PEERS
print(json.dumps({{what: bool(holds) for what, holds in PEERS["{peer}"][1]()}}))
"""


def test_every_claim_on_the_page_is_one_that_the_script_checks() -> None:
    """Word for word, section by section."""
    sections = dict(part.split("\n", 1) for part in PAGE.read_text("utf-8").split("\n## ")[1:])
    for section, claims in CLAIMS.items():
        for peer, claim in claims.items():
            assert f"- {peer}: {claim}." in sections[section]


@pytest.mark.parametrize(("peer", "package"), [("JAX", "jax"), ("torch.compile", "torch")])
def test_the_claims_hold(peer: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is installed here, in a process where no test has set 64 bits; not Numba."""
    pytest.importorskip(package)
    monkeypatch.chdir(PAGE.parents[2])
    found = json.loads(in_fresh_process(SCRIPT.format(peer=peer)).splitlines()[-1])
    assert found.keys() == CLAIMS.keys()
    assert all(found.values()), [section for section, holds in found.items() if not holds]
