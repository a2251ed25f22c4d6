"""The compiler behind `jit`: record → flatten → derive → flatten → pack → run.

Each pass is a file. `program` says what they hand to one another, `lanes` and `expressions` read
the table of operations for them, and `jitted` is the function a user calls. Nodes with a lane for
each example of `vmap` are made by `stacking`, written by `lane_writer`, derived by `lane_signals`,
packed by `lane_pack`, and cut and run in blocks by `segments` and `blocks`.
"""
