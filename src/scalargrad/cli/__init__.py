"""The command line: scalargrad step, draw, demo and train."""
