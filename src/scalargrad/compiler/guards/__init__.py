"""Guards: what a compiled function reads besides its arguments, and whether it has changed."""
