"""Services of the process: atomic file writes, optional packages, signals, messages, terminals."""
