"""Definitions of operations.

`declaration` has the base class of operations, `operation` its kinds and the decorators that
define one; the modules of `scalargrad.ops` fill the registry. An operation is traced with the
symbols of `symbol`; `scalargrad.codegen` generates code from the trace. `domain_message` writes the
message of a DomainError.
"""
