"""Functions of functions: grad, value_and_grad, jvp, vjp, hvp, jacobian, hessian, gradcheck.

`functional` holds the derivatives, which all begin with an `evaluation`, and gradcheck;
`draws` holds random numbers for compiled functions.
"""
