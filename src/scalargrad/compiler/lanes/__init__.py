"""Short examples of vmap: lanes of one loop, which keeps their numbers in registers."""
