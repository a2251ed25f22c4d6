"""Packing: groups of nodes that are computed alike become the lanes of one instruction.

`groups` finds them, and `pack` places each in `memory` and writes its instruction (`instructions`
lists the kinds).
"""
