"""A kernel as operations: constants folded, sums collected, the rest made explicit.

The same block serves floating point, where it computes what the kernel does to rounding, and fixed point.
"""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn.fixedpoint.facts import Facts
from neuroglia_snn.fixedpoint.operations import Block, Linear, Logic, Store, Sum, Value
from neuroglia_snn.fixedpoint.sums import Expressions
from neuroglia_snn.program.operations import combined
from neuroglia_snn.program.passes import where_it_counts
from neuroglia_snn.program.program import Kernel
from neuroglia_snn.program.refusal import Refused
from neuroglia_snn.program.tree import (
    BOOL,
    INT64,
    Array,
    Cell,
    Expression,
    Local,
    Statement,
    rewritten,
    walk,
)


def lowered(kernel: Kernel, facts: Facts, owner: str, record: bool = False) -> Block:
    """The operations of a kernel; ``owner`` is whose it is, for messages.

    Of a ``record``, results that are whole numbers or that never change stay as they are.

    Raises
    ------
    Refused
        Where an expression has no operation.
    """
    return _Lowering(where_it_counts(kernel), facts, owner, record).block


class _Lowering:
    """Statement by statement; what follows from an expression is worked out where it is first needed."""

    def __init__(self, kernel: Kernel, facts: Facts, owner: str, record: bool) -> None:
        self._facts, self._record = facts, record
        self._made = Expressions(kernel.first_free(), facts, owner)
        self._shared = {  # cells that several units reach
            c for c in kernel.writes() if kernel.in_order and c.index is not None
        }
        for statement in kernel.before:
            self._before(statement)
        plain: dict[Expression, Expression] = {}  # of a record: what it keeps as it is
        for statement in kernel.each:
            value = rewritten(statement.value, lambda part: plain.get(part, part))
            if record and self._stays(value):
                plain[statement.target] = value
            else:
                self._statement(replace(statement, value=value))
        once = {s.target for s in kernel.before}
        plain |= {local: local for local in kernel.results.values() if record and local in once}
        names = {name: plain[local] for name, local in kernel.results.items() if local in plain}
        results = {
            name: self._result(local) for name, local in kernel.results.items() if name not in names
        }
        self.block = Block(tuple(self._made.items), results, names, self._made.free)

    def _stays(self, e: Expression) -> bool:
        """Whether fixed point leaves an expression as it is: whole numbers, what all share, constants."""
        whole = all(
            part.array.dtype.kind != "f" if isinstance(part, Cell) else not isinstance(part, Local)
            for part in walk(e)
        )
        constant = self._facts.unit_constant(e, self._made.numbers) is not None
        return whole or constant or self._facts.shared(e)

    def _before(self, s: Statement) -> None:
        """A number, or a sum of times; anything else that all units share stays as it is."""
        made = self._made
        if not isinstance(s.target, Local):
            return
        number = self._facts.number(s.value, made.numbers)
        if number is not None and s.operation is None:
            made.numbers[s.target.number] = number
            return
        try:
            known = made.linear_in_time(s.value)
        except Refused:
            known = None
        if known is not None:
            made.locals[s.target.number] = known

    def _statement(self, s: Statement) -> None:
        made = self._made
        condition = None if s.condition is None else made.condition(s.condition)
        if condition is False:
            return
        if condition is True:
            condition = None
        if isinstance(s.target, Local):
            self._local(s.target, combined(s.operation, s.target, s.value))
            return
        cell = s.target
        if cell in self._shared and s.operation in ("+", "-") and cell.dtype != BOOL:
            total = made.sum(s.value).scaled(-1 if s.operation == "-" else 1)
            self._store(Store(cell, made.value(total, new=True), True, condition))
            return
        new = combined(s.operation, cell, s.value)
        value: Value = (
            made.truth(made.condition(new))
            if cell.dtype == BOOL
            else made.value(made.sum(new), new=True)
        )
        self._store(Store(cell, value, False, condition))
        if condition is None and cell not in self._shared:
            made.cells[cell] = value

    def _store(self, store: Store) -> None:
        self._keep_old(store.cell.array)
        self._made.items.append(store)
        self._made.forget(store.cell.array)

    def _keep_old(self, array: Array) -> None:
        """Hold the values of an array that is about to change, where what is not worked out yet reads them."""
        made = self._made
        copies: dict[Value, Value] = {}

        def old(value: Value) -> Value:
            if not (isinstance(value, Cell) and value.array is array):
                return value
            if value not in copies:
                out = copies[value] = made.new(BOOL if value.dtype == BOOL else INT64)
                whole = Logic(out, "and", (value, value))
                kept = whole if value.dtype == BOOL else Linear(out, Sum(((value, 1.0),)))
                made.items.append(kept)
            return copies[value]

        for number, found in made.locals.items():
            if isinstance(found, Sum):
                terms = tuple((old(value), factor) for value, factor in found.terms)
                made.locals[number] = Sum(terms, found.constant)
            else:
                made.locals[number] = old(found)

    def _local(self, target: Local, value: Expression) -> None:
        made = self._made
        number = self._facts.number(value, made.numbers)
        if number is not None:
            made.numbers[target.number] = number
        elif target.dtype == BOOL:
            made.locals[target.number] = made.truth(made.condition(value))
        else:
            made.locals[target.number] = made.sum(value)

    def _result(self, local: Local) -> Value:
        made = self._made
        if local.number in made.numbers:
            number = made.numbers[local.number]
            if local.dtype == BOOL:
                return made.truth(bool(number))
            return made.value(Sum((), float(number)), new=True)
        if local.number not in made.locals:  # one that all units share
            self._local(local, local)
        found = made.locals[local.number]
        return made.value(found, new=not self._record) if isinstance(found, Sum) else found
