"""Definitions of operations, and code generators for Python, JavaScript, MathML and text.

`declaration` has the base class of operations, `operation` its kinds and the decorators that
define one; the modules of `scalargrad.ops` fill the registry. An operation is traced with the
symbols of `symbol`. From the trace, `eager` generates Python for evaluation, `javascript` the code
of pages, `printing` text and MathML, and `scalargrad.export.files` C.

`numbers` and `validation` check the arguments of all public functions.
"""
