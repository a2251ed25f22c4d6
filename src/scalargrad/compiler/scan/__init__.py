"""scan: repeat a step function, passing the state it returns on to the next step.

`scan` is the public function; where gradients are wanted, it compiles all steps as one function.
Of a `compiled_step`, `native_steps` runs many in one call of machine code, which keeps the state in
the memory of the program; others are called one by one.
"""
