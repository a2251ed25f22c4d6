"""The process around the engine: atomic file writes, optional packages, the garbage collector."""
