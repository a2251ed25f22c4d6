"""The time that a test waits for what must come: no claim of any test, only an end to waiting."""

from __future__ import annotations

#: Seconds in which a slow and busy machine does anything at all.
PATIENCE = 120.0
