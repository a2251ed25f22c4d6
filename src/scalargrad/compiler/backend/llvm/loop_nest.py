"""Loops and address arithmetic in LLVM IR, for the functions that execute instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule

#: How many vectors a loop over lanes computes abreast.
_ABREAST = 4

#: A register carried from iteration to iteration: its type and initial value.
Carried = tuple[str, str]


class Nest:
    """A function under construction, over the memory `%m` and the table of fields `%f`."""

    def __init__(
        self,
        module: IRModule,
        name: str,
        parameters: str = "ptr noalias %m, ptr noalias readonly %f",
        result: str = "void",
        linkage: str = "",
    ) -> None:
        self.body: FunctionBody = module.function(name, parameters, result, linkage)
        self.one = Emitter(self.body)

    def field(self, place: int | str, table: str = "%f") -> str:
        """Load an integer from the table."""
        pointer = self.body.assign(f"getelementptr i64, ptr {table}, i64 {place}")
        return self.body.assign(f"load i64, ptr {pointer}, align 8")

    def fields(self, first: int, count: int, table: str = "%f") -> list[str]:
        """Load adjacent integers from the table."""
        return [self.field(first + k, table) for k in range(count)]

    def table(self, place: int | str, table: str = "%f") -> str:
        """Return the address of an entry of the table."""
        return self.body.assign(f"getelementptr i64, ptr {table}, i64 {place}")

    def cell(self, *parts: str | int, base: str = "%m") -> str:
        """Return the address of a cell, whose index is the sum of the parts."""
        total = parts[0]
        for part in parts[1:]:
            total = self.add(total, part)
        return self.body.assign(f"getelementptr double, ptr {base}, i64 {total}")

    def add(self, a: str | int, b: str | int) -> str:
        """Return a + b for integers."""
        return self.body.assign(f"add i64 {a}, {b}")

    def sub(self, a: str | int, b: str | int) -> str:
        """Return a - b for integers."""
        return self.body.assign(f"sub i64 {a}, {b}")

    def mul(self, a: str | int, b: str | int) -> str:
        """Return a·b for integers."""
        return self.body.assign(f"mul i64 {a}, {b}")

    def least(self, a: str, b: str) -> str:
        """Return the smaller of two integers."""
        test = self.body.assign(f"icmp slt i64 {a}, {b}")
        return self.body.assign(f"select i1 {test}, i64 {a}, i64 {b}")

    def loop(
        self,
        count: str,
        write: Callable[[str, list[str]], Sequence[str]],
        carried: Sequence[Carried] = (),
        step: int = 1,
    ) -> list[str]:
        """Print a loop over 0, step, … below `count`; its body runs at least once.

        Parameters
        ----------
        write : callable
            Prints the body for an index and the carried registers; returns their new values.
        carried : sequence of (type, initial register)

        Returns
        -------
        list of str
            The final values of the carried registers.
        """
        body = self.body
        head, done, index, following = (body.fresh(x) for x in ("loop", "done", "i", "next"))
        before, names = body.block, [f"%{body.fresh('c')}" for _ in carried]
        body.line(f"br label %{head}")
        body.begin(head)
        room = body.reserve()
        results = list(write(f"%{index}", names))
        body.line(f"%{following} = add i64 %{index}, {step}")
        again = body.assign(f"icmp ult i64 %{following}, {count}")
        starts = [("i64", "0", f"%{following}", f"%{index}")]
        starts += [
            (kind, first, result, name)
            for (kind, first), result, name in zip(carried, results, names, strict=True)
        ]
        body.fill(
            room,
            [
                f"{name} = phi {kind} [{first}, %{before}], [{result}, %{body.block}]"
                for kind, first, result, name in starts
            ],
        )
        body.line(f"br i1 {again}, label %{head}, label %{done}")
        body.begin(done)
        return results

    def unless_none(
        self, count: str, write: Callable[[], list[str]], otherwise: Sequence[Carried] = ()
    ) -> list[str]:
        """Print a body that runs unless `count` is 0; else `otherwise`, of one type, results."""
        some = self.body.assign(f"icmp ne i64 {count}, 0")
        kind = otherwise[0][0] if otherwise else ""
        return self.body.either(some, write, lambda: [x for _, x in otherwise], kind)

    def lanes(
        self, e: Emitter, count: str, write: Callable[[Emitter, str], tuple[str, str]]
    ) -> None:
        """Print a loop over lanes, four vectors abreast as long as four are left.

        They are computed together, instruction by instruction: a processor looks ahead too little
        to overlap long functions of vectors that follow one another.

        Parameters
        ----------
        write : callable
            Prints, by an emitter of some width, the vector that begins at a lane; returns it and
            the address to store it at. Lanes beyond the last are computed and not stored.
        """
        if e.width == 1:
            self.loop(count, lambda i, _: self._stored(e, write(e, i)))
            return
        wide = e.times(_ABREAST)
        whole = self.body.assign(f"and i64 {count}, {-wide.width}")

        def abreast(i: str, _: list[str]) -> list[str]:
            return self._stored(wide, write(wide, i))

        self.unless_none(whole, lambda: self.loop(whole, abreast, step=wide.width))

        def last(k: str, _: list[str]) -> list[str]:
            i = self.add(whole, k)
            x, pointer = write(e, i)
            self.store_some(e, x, pointer, self.sub(count, i))
            return []

        rest = self.sub(count, whole)
        self.unless_none(rest, lambda: self.loop(rest, last, step=e.width))

    @staticmethod
    def _stored(e: Emitter, found: tuple[str, str]) -> list[str]:
        e.store(*found)
        return []

    def store_some(self, e: Emitter, x: str, pointer: str, count: str) -> None:
        """Store the first `count` lanes of a vector, at most all of them."""
        body = self.body
        if e.width == 1:
            e.store(x, pointer)
            return

        def part() -> list[str]:
            types = [e.type, "ptr", "i32", e.flag]
            store = body.module.declare(f"llvm.masked.store.v{e.width}f64.p0", "void", types)
            mask = f"{e.flag} {below(e, count)}"
            body.line(f"call void @{store}({e.type} {x}, ptr {pointer}, i32 8, {mask})")
            return []

        are_whole = body.assign(f"icmp sge i64 {count}, {e.width}")
        body.either(are_whole, lambda: self._stored(e, (x, pointer)), part)

    def end(self) -> None:
        """End the function."""
        self.body.line("ret void")


def below(e: Emitter, count: str) -> str:
    """Return a mask that holds on the first `count` lanes."""
    numbers = ", ".join(f"i64 {k}" for k in range(e.width))
    first = e.body.assign(f"insertelement {e.whole} poison, i64 {count}, i64 0")
    zeros = f"<{e.width} x i32> zeroinitializer"
    everywhere = e.body.assign(f"shufflevector {e.whole} {first}, {e.whole} poison, {zeros}")
    return e.body.assign(f"icmp slt {e.whole} <{numbers}>, {everywhere}")


def all_finite(nest: Nest, e: Emitter, outputs: str, count: str) -> str:
    """Print the test that `count` numbers, one or more, are finite: 0 times each of them is 0."""
    zero = e.number(0.0)

    def more(i: str, carried: list[str]) -> list[str]:
        product = e.mul(e.load(nest.cell(i, base=outputs)), 0.0)
        inside = e.select(below(e, nest.sub(count, i)), product, 0.0)
        return [e.add(carried[0], inside)]

    (total,) = nest.loop(count, more, [(e.type, zero)], step=e.width)
    flags = nest.body.assign(f"bitcast {e.flag} {e.compare('uno', total, 0.0)} to i{e.width}")
    return nest.body.assign(f"icmp eq i{e.width} {flags}, 0")
