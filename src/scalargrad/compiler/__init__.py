"""The compiler behind `jit`: record → flatten → derive → flatten → pack → run.

Each pass is a file. `program` says what they hand to one another, `lanes` and `expressions` read
the table of operations for them, and `jitted` is the function a user calls.
"""
