"""Operations as declarations, and their printers: for Python, JavaScript, MathML and as text.

`declaration` defines an operation and `operation` its kinds; the table itself is filled by
`scalargrad.ops`. An operation is traced with `symbol`, and the trace printed: for evaluation by
`eager`, for pages by `javascript`, and for people by `printing`; `scalargrad.export.files`
prints C.
"""
