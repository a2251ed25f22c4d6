"""Fuzzing: bytes that nobody thought of, for whatever reads text or files, and for the compiler."""
