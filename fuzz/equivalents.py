"""Mutants that no test can kill, because they compute the same, each with its reason."""

#: By file, line before and line after.
EQUIVALENT: dict[tuple[str, str, str], str] = {}
