"""scan: repeat a step function, passing the state it returns on to the next step.

`scan` is the public function. With a compiled step, `carried_state` keeps the state in the memory
of the program, and `native_steps` runs many steps in one call of machine code. Where gradients are
wanted, `whole_scan` compiles all steps as one function.
"""
