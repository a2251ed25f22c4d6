"""Transformations of functions: grad, value_and_grad, jvp, vjp, hvp, jacobian, hessian, gradcheck.

`functional` contains the derivatives and gradcheck; each derivative begins with an `Evaluation`.
`custom_vjp` contains functions with a derivative rule.
"""
