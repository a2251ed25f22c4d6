"""Print the functions of sums of products whose factors are gathered from any addresses."""

from __future__ import annotations

from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest


def write_gathered(module: IRModule, name: str, width: int, classes: bool) -> None:
    """Print the function, ``out lanes passes``, the terms of each pass, then addresses.

    The addresses come in groups of `width` lanes: those of the starts, then, for each term, those
    of the first factors and of the second factors. With several passes, each is a class.
    """
    nest = Nest(module, name)
    e = Emitter(nest.body, width)
    out, lanes, passes = nest.fields(0, 3)
    first = nest.table(nest.add(passes, 3))

    def addresses(table: str) -> str:
        return nest.body.assign(f"load {e.whole}, ptr {table}, align 8")

    def read(table: str) -> str:
        if width == 1:
            return e.load(nest.cell(addresses(table)))
        pointers = nest.body.assign(f"getelementptr double, ptr %m, {e.whole} {addresses(table)}")
        kind = f"<{width} x ptr>"
        types = [kind, "i32", e.flag, e.type]
        gather = nest.body.module.declare(
            f"llvm.masked.gather.v{width}f64.v{width}p0", e.type, types
        )
        everywhere = f"<{', '.join(['i1 true'] * width)}>"
        return nest.body.assign(
            f"call {e.type} @{gather}({kind} {pointers}, i32 8, {e.flag} {everywhere}, "
            f"{e.type} poison)"
        )

    def group(i: str, carried: list[str]) -> list[str]:
        (table,) = carried

        def one_pass(p: str, carried: list[str]) -> list[str]:
            table, total = carried

            def term(_: str, carried: list[str]) -> list[str]:
                table, total = carried
                x, y = read(table), read(nest.table(width, table))
                return [nest.table(2 * width, table), e.fma(x, y, total)]

            terms = nest.field(nest.add(p, 3))
            begins = e.number(-0.0) if classes else total
            table, more = nest.loop(terms, term, [("ptr", table), (e.type, begins)])
            return [table, e.add(total, more) if classes else more]

        starts = [("ptr", nest.table(width, table)), (e.type, read(table))]
        table, total = nest.loop(passes, one_pass, starts)
        nest.store_some(e, total, nest.cell(out, i), nest.sub(lanes, i))
        return [table]

    nest.loop(lanes, group, [("ptr", first)], step=width)
    nest.end()
