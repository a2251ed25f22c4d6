"""Packing: turn a program into vector instructions over one memory.

`pack` is the way in. Nodes that are computed alike are sorted into `groups`; each group becomes an
instruction over a block of `memory` (`instructions` lists the kinds). `group_operations` writes
operations and lookups, `scalar_packer` sums of products, and `lane_packer` what is different where
nodes have a lane for each example of vmap. `strides` finds the evenly spaced operands that need no
table of addresses.
"""
