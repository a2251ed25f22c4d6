"""Roots, fixed points and differential equations, solved inside a model and differentiated with it.

>>> from scalargrad import grad, sin
>>> from scalargrad.solvers import root
>>> def anomaly(mean, eccentricity):  # Kepler's equation
...     return root(lambda x: x - eccentricity * sin(x) - mean, mean)
>>> [round(x, 9) for x in (anomaly(1.0, 0.5), grad(anomaly)(1.0, 0.5))]
[1.498701134, 1.037362022]
"""

from scalargrad.solvers.differential import odeint, rk4
from scalargrad.solvers.roots import fixed_point, root

__all__ = ["fixed_point", "odeint", "rk4", "root"]
