"""How an operation is called, as `help` and editors show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature


class CallSignature:
    """The attribute ``__signature__`` of operations, which is worked out when it is asked for.

    Names come from the declaration, where that takes its operands one by one, and from the
    operation's own call, where that has options or takes any number.
    """

    def __get__(self, op: Any, owner: type) -> Signature:
        if op is None:
            raise AttributeError(f"{owner.__name__} has a signature for each operation")
        import inspect  # costs every import of the package too much

        _, *called = inspect.signature(type(op).__call__).parameters.values()
        declared = inspect.signature(op.function).parameters.values()
        one_by_one = hasattr(op, "arity") and all(p.default is p.empty for p in called)
        chosen = declared if one_by_one else called
        return inspect.Signature([p.replace(annotation=p.empty) for p in chosen])
