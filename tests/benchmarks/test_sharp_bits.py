"""The page of sharp bits says of other libraries what the script finds that they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sharp_bits import CLAIMS, PEERS

PAGE = Path(__file__).parents[2] / "docs" / "explained" / "sharp-bits.md"


def test_every_claim_on_the_page_is_one_that_the_script_checks() -> None:
    """Word for word, section by section."""
    sections = dict(part.split("\n", 1) for part in PAGE.read_text("utf-8").split("\n## ")[1:])
    for section, claims in CLAIMS.items():
        for peer, claim in claims.items():
            assert f"- {peer}: {claim}." in sections[section]


@pytest.mark.parametrize(("peer", "package"), [("JAX", "jax"), ("torch.compile", "torch")])
@pytest.mark.filterwarnings("ignore")
def test_the_claims_hold(peer: str, package: str) -> None:
    """With what is installed here; Numba is tried by hand."""
    pytest.importorskip(package)
    _, seen = PEERS[peer]
    found = dict(seen())
    assert found.keys() == CLAIMS.keys()
    assert all(found.values()), [section for section, holds in found.items() if not holds]
