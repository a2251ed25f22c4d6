"""Recording: one run of a function, noted as a program."""
