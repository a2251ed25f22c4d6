"""Sparse Jacobians and Hessians: where their entries are, and how few products give them all."""
