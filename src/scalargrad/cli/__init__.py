"""The command line: scalargrad step, draw, demo, train and sweep."""
