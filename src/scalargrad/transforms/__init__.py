"""Functions of functions: grad, value_and_grad, jvp, vjp, hvp, jacobian, hessian, gradcheck."""
