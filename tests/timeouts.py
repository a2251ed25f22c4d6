"""The maximum time that a test waits for an event."""

from __future__ import annotations

#: Timeout in seconds, long enough for a slow and busy machine.
TIMEOUT = 120.0
