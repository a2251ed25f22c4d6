"""scan: repeat a step function, passing the state it returns on to the next step.

`scan` is the public function; where gradients are wanted, it compiles all steps as one function.
With a compiled step, `carried_state` keeps the state in the memory of the program, and
`native_steps` runs many steps in one call of machine code.
"""
