"""Threshold and reset of a row of a fused step as C++, where any of its units is above the threshold."""

from __future__ import annotations

import re

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import Printer, type_of
from neuroglia_snn.emit.rows import Stages, cells_of_reset
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.linear import Linearizer
from neuroglia_snn.program.operations import combined
from neuroglia_snn.program.program import Kernel
from neuroglia_snn.program.tree import Cell, Local, Statement


def text(step: Fused, stages: Stages) -> list[str]:
    """The function ``fire``; nothing where the step has no reset."""
    if step.threshold is None or step.reset is None or step.above is None:
        return []
    above, reset = _above(step, stages), _reset(step.reset.kernel, stages)
    names = set(re.findall(r"\bh\d+\b", "\n".join(above)))
    rows = {c.array for c in cells_of_reset(step) if not c.array.scalar}
    rows |= {c.array for c in stages.of_threshold() if not c.array.scalar}
    listed = [
        "for (int c = 0; c < at.width; c++)",
        "if (above(c) && at.unit(r, c) >= 0) w.events.push_back(at.unit(r, c));",
    ]
    return [
        "static __attribute__((noinline)) void fire(State& s, Worker& w, const Shared& shared, Run& run, const int r)",
        "{",
        "(void)shared; (void)run; (void)w;",
        *stages.heads(reset),
        *(f"const {stages.sums.numbers[h][0]} {h} = shared.{h};" for h in sorted(names)),
        *(
            f"{stages.work(a)}* __restrict const A{a.number} = {stages.row(a)};"
            for a in sorted(rows, key=lambda a: a.number)
        ),
        "const auto above = [&](const int c) __attribute__((always_inline)) -> bool",
        "{",
        *above,
        f"return x{step.above.number};",
        "};",
        *(listed if step.listed else []),
        *reset,
        "}",
    ]


def _above(step: Fused, stages: Stages) -> list[str]:
    """The statements of the threshold, on the values that the step has left."""
    assert step.threshold is not None
    linearizer, sums = Linearizer(stages.constant, {}), stages.sums
    lines = []
    for s in step.stages[-1].statements[-len(step.threshold.kernel.each) :]:
        assert isinstance(s.target, Local)
        kind = stages.real if s.target.dtype.kind == "f" else type_of(s.target.dtype)
        value = sums.text(linearizer.term(s.value))
        lines.append(f"const {kind} x{s.target.number} = ({kind})({value});")
    whole = "\n".join(lines)
    rows = [k for k in sums.coefficients.values() if re.search(rf"\b{k.lower()}\b", whole)]
    return [*(f"const {stages.real} {k.lower()} = s.{k}[at.row(r) + c];" for k in rows), *lines]


def _reset(kernel: Kernel, stages: Stages) -> list[str]:
    """What is worked out once, and a loop over the units, of which those above are written."""
    expressions = (*kernel.expressions(), *kernel.writes())
    cells = list(dict.fromkeys(e for e in expressions if isinstance(e, Cell)))
    names = {cell: f"c{n}" for n, cell in enumerate(cells)}
    printer = Printer(names, "0", foreign.symbol)
    shared, own = [], []
    for cell, name in names.items():
        kind, number = type_of(cell.dtype), cell.array.number
        if cell.array.scalar:
            stages.sums.scalars[cell] = f"a{number}[0]"
            shared.append(f"const {kind} {name} = a{number}[0]; (void){name};")
        else:
            own.append(f"{kind} {name} = A{number}[c]; (void){name};")
    written = list(dict.fromkeys(kernel.writes()))
    return [
        *shared,
        *_statements(kernel.before, printer),
        "#pragma GCC ivdep",
        "for (int c = 0; c < at.width; c++)",
        "{",
        *own,
        "const bool fires = above(c);",
        *_statements(kernel.each, printer),
        *(
            f"A{c.array.number}[c] = fires ? ({stages.work(c.array)}){names[c]} : A{c.array.number}[c];"
            for c in written
        ),
        "}",
    ]


def _statements(statements: tuple[Statement, ...], printer: Printer) -> list[str]:
    lines, declared = [], set()
    for s in statements:
        kind, name = type_of(s.target.dtype), printer.text(s.target)
        value = f"({kind})({printer.text(combined(s.operation, s.target, s.value))})"
        if s.condition is not None:
            value = f"{printer.text(s.condition)} ? {value} : {name}"
        fresh = isinstance(s.target, Local) and s.target not in declared
        declared.add(s.target)
        lines.append(f"{kind + ' ' if fresh else ''}{name} = {value};")
    return lines
