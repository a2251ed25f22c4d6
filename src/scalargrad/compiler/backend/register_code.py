"""The functions of `registers` as Numba compiles them; imported by the kernel's source alone."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from scalargrad.compiler.backend.registers import WIDTH

_REGISTER = ir.VectorType(ir.DoubleType(), WIDTH)
_ALIGNMENT = 8  # bytes: of a cell, as registers begin anywhere


class Register(types.Type):
    """The type of a register."""

    def __init__(self) -> None:
        super().__init__(name="Register")


@register_model(Register)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _REGISTER)  # type: ignore[no-untyped-call]


_register: Any = Register()


def _place(builder: Any, m: Any, i: Any) -> Any:
    return builder.bitcast(builder.gep(m, [i]), _REGISTER.as_pointer())


@intrinsic
def load(_typing: Any, m: Any, i: Any) -> Any:
    """Return the cells from `i` on."""

    def generate(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        return builder.load(_place(builder, *operands), align=_ALIGNMENT)

    return _register(m, i), generate


@intrinsic
def store(_typing: Any, m: Any, i: Any, x: Any) -> Any:
    """Set the cells from `i` on."""

    def generate(context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        builder.store(operands[2], _place(builder, *operands[:2]), align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(m, i, x), generate


@intrinsic
def full(_typing: Any, number: Any) -> Any:
    """Return a register that holds one number throughout."""

    def generate(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        nothing, index = ir.Constant(_REGISTER, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(nothing, operands[0], ir.Constant(index, 0))
        everywhere = ir.Constant(ir.VectorType(index, WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(first, nothing, everywhere)

    return _register(number), generate


@intrinsic
def multiply_add(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ab + c, rounded once where the processor can."""

    def generate(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        product = builder.fmul(operands[0], operands[1], flags=("contract",))
        return builder.fadd(product, operands[2], flags=("contract",))

    return _register(a, b, c), generate
