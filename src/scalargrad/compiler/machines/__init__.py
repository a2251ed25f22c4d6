"""Machines: what carries instructions out, the compiled kernel or NumPy, whole or in blocks."""
