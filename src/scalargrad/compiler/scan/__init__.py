"""scan: a step repeated, each time on the state the step before returned.

`scan` is the function users call. `carried_state` keeps the state in the memory of the compiled
step, `native_steps` makes many steps in one call of machine code, and `whole_scan` compiles all
steps as one function where gradients are wanted.
"""
