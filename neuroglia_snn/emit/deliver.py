"""What spikes do at the synapses that they reach: C++ of a `Deliver` step."""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn.emit.expressions import type_of
from neuroglia_snn.emit.kernels import Text
from neuroglia_snn.program.beside import stride
from neuroglia_snn.program.parts import Parts, parts
from neuroglia_snn.program.program import Deliver
from neuroglia_snn.program.sharing import least
from neuroglia_snn.program.tree import Array


def lines(step: Deliver) -> list[str]:
    """The lines of the step's function."""
    found = parts(step.kernel)
    each = step.kernel.each if found is None else (*found.own, *found.reaching)
    text = Text(replace(step.kernel, each=each), step.clock, step.row[:1], step.row, step.ordered)
    events = step.pathway.events.number
    return [
        f"Pathway& path = run.pathways[{step.pathway.number}];",
        f"const int32_t* const events = (const int32_t*)run.arrays[{events}];",
        f"take_up(path, events, events[run.sizes[{events}] - 1]);",
        f"share(run, path, {least(step.kernel)}, [&run, &path](const int part, const int end) __attribute__((noinline))",
        "{",
        *text.once(),
        *_fetch(text),
        "const auto edges = [&](const auto at, const int64_t first, const int64_t last, const int64_t again, const int64_t ahead) __attribute__((always_inline))",
        "{",
        *([f"alignas(64) double block[{stride(step.row)}*SYNAPSES];"] if step.row else []),
        *_edges(text, found, step.row),
        "};",
        "for (; path.is_late(); path.late_next++)",
        "edges(Listed{path.late}, path.late_next, path.late_next + 1, path.again, path.late_next);",
        "const Row& row = path.ring[path.now];",
        "for (int64_t k = 0; k < row.count; k++)",
        "{",
        "const int64_t* const begin = path.begin + row.groups[k]*path.parts;",
        "const int64_t ahead = path.begin[row.groups[k + 1 < row.count ? k + 1 : k]*path.parts + part];",
        *(
            []  # all that it reads stands in the order of the groups
            if step.ordered
            else [
                "if (path.order) edges(Listed{path.order}, begin[part], begin[end], 0, ahead); else"
            ]
        ),
        "edges(Adjacent{}, begin[part], begin[end], 0, ahead);",
        "}",
        "});",
        "pass_on(path);",
    ]


def _fetch(text: Text) -> list[str]:
    """Functions that fetch a block of synapses' own values: one after the other, or a line of all at once."""
    arrays = text.own_arrays()
    return [
        "const auto fetch = [=](const auto at, const int64_t from, const int64_t to) __attribute__((always_inline))",
        "{",
        "for (int64_t e = from; e < to; e++)",
        "{",
        *(f"__builtin_prefetch({a} + {n}*at(e));" for a, n in arrays),
        "}",
        "};",
        "const auto fetch_lines = [=](const int64_t from) __attribute__((always_inline))",
        "{",
        *(
            f"for (int64_t e = 0; e < {n}*SYNAPSES; e += 64/sizeof(*{a})) __builtin_prefetch({a} + {n}*from + e);"
            for a, n in arrays
        ),
        "(void)from;",
        "};",
    ]


def _moved(row: tuple[Array, ...]) -> tuple[list[str], list[str]]:
    """Values beside each other of synapses that lie apart, to where these follow each other, and back."""
    if not row:
        return [], []
    n, array = stride(row), f"a{row[0].number}"
    each = "if (at.scattered) for (int64_t e = from; e < to; e++)"
    near, far = f"block + {n}*(e - from)", f"{array} + {n}*at(e)"
    here = [
        f"double* const r = at.scattered ? block : {array}; (void)r;",
        f"{each} std::memcpy({near}, {far}, {n}*sizeof(double));",
    ]
    return here, [f"{each} std::memcpy({far}, {near}, {n}*sizeof(double));"]


def _edges(text: Text, found: Parts | None, row: tuple[Array, ...]) -> list[str]:
    """Loops over synapses of one source and delay, which are all different, a block at a time.

    Those that lie apart are fetched while the block before is at work, those in a row while the group before
    is: it ends where the processor could not know what comes.
    """
    here, back = _moved(row)
    return [
        "if (at.scattered) fetch(at, first, first + SYNAPSES < last ? first + SYNAPSES : last);",
        "for (int64_t from = first; from < last; from += SYNAPSES)",
        "{",
        "const int64_t to = last < from + SYNAPSES ? last : from + SYNAPSES;",
        "if (at.scattered) fetch(at, to, to + SYNAPSES < last ? to + SYNAPSES : last);",
        "else fetch_lines(ahead + (from - first));",
        *here,
        *(_each_edge(text, text.each()) if found is None else _in_parts(text, found)),
        *back,
        "}",
    ]


def _each_edge(text: Text, lines: list[str], independent: bool | None = None) -> list[str]:
    vectors = text.independent() if independent is None else independent
    return [
        *(["#pragma GCC ivdep"] if vectors else []),
        "for (int64_t e = from; e < to; e++)",
        "{",
        "const int64_t u = at(e), d = u + again, v = at.scattered ? e - from : e; (void)d; (void)v;",
        *lines,
        "}",
    ]


def _in_parts(text: Text, found: Parts) -> list[str]:
    """What synapses do to themselves, many at once, then what they do to others."""
    kinds = {local.number: type_of(local.dtype) for local in found.told}
    own = [*text.part(found.own), *(f"y{n}[e - from] = x{n};" for n in kinds)]
    told = [f"const {kind} x{n} = y{n}[e - from];" for n, kind in kinds.items()]
    return [
        *(f"{kind} y{n}[SYNAPSES];" for n, kind in kinds.items()),
        *_each_edge(text, own, True),
        *_each_edge(text, [*told, *text.part(found.reaching)], False),
    ]
