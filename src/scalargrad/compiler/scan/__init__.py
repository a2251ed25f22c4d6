"""scan: repeat a step function, passing the state it returns on to the next step.

`scan` is the public function. Where no gradients are wanted, `native_steps` runs many steps in one
call of machine code, which keeps the state in the memory of the program; other steps are called one
by one. While another function is recorded, `recorded_steps` copies the steps that are like the
first few.
"""
