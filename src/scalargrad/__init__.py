"""Scalar reverse-mode automatic differentiation you can read, watch and trust.

A `Value` is a number that remembers how it was computed; `backward` fills in its gradients:

>>> from scalargrad import Value
>>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
>>> f = (x + y) * z
>>> f.backward()
>>> x.grad, y.grad, z.grad
(-4.0, -4.0, 3.0)

The main names, each explained by ``help(scalargrad.NAME)``:

======================================== ==========================================================
`walk`, `draw`, `watch`                  show steps, a graph, a training run; each has ``.save``
`exp`, `tanh`, `where`, `dot`, …         operations on numbers and Values; ``ops`` has them all
`grad`, `value_and_grad`, `jacobian`, …  derivatives of functions, with JAX's signatures
`jit`, `vmap`, `scan`                    scalar code traced once, compiled to vector instructions
`linalg`, `solvers`                      matrices; roots, differential equations
`nn`, `losses`, `optim`, `train.fit`     networks, with PyTorch's names
`fitting`                                models fitted to data by SciPy; standard errors
`data`, `plots`                          small data sets; Matplotlib plots
`parallel`, `export`                     several processes; C, JSON, NetworkX, SymPy
`custom_op`, `custom_vjp`, `gradcheck`   custom derivatives; a check by finite differences
`parse`                                  a graph from a formula
======================================== ==========================================================

Each error derives from `ScalargradError`; it names the node, shows the value and says what to do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scalargrad import errors, ops
from scalargrad.engine.autodiff import detect_anomaly, gradients
from scalargrad.engine.draws import drawn
from scalargrad.engine.grad_mode import enable_grad, is_grad_enabled, no_grad
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import *
from scalargrad.ops.activations import *
from scalargrad.ops.arithmetic import *
from scalargrad.ops.arithmetic import abs as abs
from scalargrad.ops.arithmetic import pow as pow
from scalargrad.ops.custom import custom_op
from scalargrad.ops.exponential import *
from scalargrad.ops.indexing import *
from scalargrad.ops.reductions import *
from scalargrad.ops.reductions import sum as sum
from scalargrad.ops.rounding import *
from scalargrad.ops.selection import *
from scalargrad.ops.special import *
from scalargrad.ops.trigonometric import *
from scalargrad.transforms.custom_vjp import custom_vjp
from scalargrad.transforms.functional import (
    grad,
    gradcheck,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    value_and_grad,
    vjp,
)
from scalargrad.version import __version__ as __version__

if TYPE_CHECKING:
    from scalargrad import (
        data,
        export,
        fitting,
        linalg,
        losses,
        nn,
        optim,
        parallel,
        plots,
        solvers,
        train,
    )
    from scalargrad.compiler.control_flow import cond, while_loop
    from scalargrad.compiler.jit_mode import disable_jit
    from scalargrad.compiler.jitted import jit
    from scalargrad.compiler.scan.scan import scan
    from scalargrad.compiler.vmap import vmap
    from scalargrad.expression import parse
    from scalargrad.show.graphs import draw
    from scalargrad.show.steps import walk
    from scalargrad.show.training import watch


#: The names of ``from scalargrad import *``; names of Python's built-ins, such as `sum`, are
#: excluded. Operations are listed where they are declared, so that type checkers see them.
__all__ = [
    "Parameter",
    "Value",
    "cond",
    "custom_op",
    "custom_vjp",
    "data",
    "detect_anomaly",
    "disable_jit",
    "draw",
    "drawn",
    "enable_grad",
    "export",
    "fitting",
    "grad",
    "gradcheck",
    "gradients",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linalg",
    "losses",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "parallel",
    "parse",
    "plots",
    "scan",
    "solvers",
    "train",
    "value_and_grad",
    "vjp",
    "vmap",
    "walk",
    "watch",
    "while_loop",
]
__all__ += errors.__all__
__all__ += ops.__all__
__all__.remove("abs")
__all__.remove("pow")
__all__.remove("sum")

#: Modules of the names that are imported at first use, to keep the import of the package fast;
#: subpackages are imported in the same way.
_LAZY_MODULES = {
    "cond": "compiler.control_flow",
    "disable_jit": "compiler.jit_mode",
    "draw": "show.graphs",
    "jit": "compiler.jitted",
    "parse": "expression",
    "scan": "compiler.scan.scan",
    "vmap": "compiler.vmap",
    "walk": "show.steps",
    "watch": "show.training",
    "while_loop": "compiler.control_flow",
}


if not TYPE_CHECKING:  # else a type checker would accept any name, sigmiod too, as Any

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            from scalargrad.engine.other_names import OTHER_NAMES

            remedy = f": write {OTHER_NAMES[name]}" if name in OTHER_NAMES else ""
            raise AttributeError(f"module 'scalargrad' has no attribute {name!r}{remedy}")
        from scalargrad.system.packages import optional_dependency

        with optional_dependency(f"{name} needs"):
            module = importlib.import_module(f"scalargrad.{_LAZY_MODULES.get(name, name)}")
        attribute = globals()[name] = getattr(module, name, module)
        return attribute


def __dir__() -> list[str]:
    dunders = (name for name in globals() if name.startswith("__"))
    return sorted({*__all__, *ops.__all__, *dunders})
