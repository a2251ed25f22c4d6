"""The process around the engine: files written whole, optional packages, the garbage collector."""
