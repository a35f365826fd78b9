"""C++ of a program's steps: one function a population, from the same operations as the NumPy runs.

Nothing here knows an equation. In fixed point the result is the oracle's bit for bit; in floating
point it is NumPy's to rounding.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from neuroglia_snn import lanes, noise, stages
from neuroglia_snn.errors import BackendError
from neuroglia_snn.lowering.operations import (
    Block,
    Clip,
    Function,
    Linear,
    Operation,
    Population,
    Product,
    Program,
    Rounding,
    Select,
    Stencil,
    Sum,
    Test,
)

#: Functions of expressions in C++.
FUNCTIONS = {
    **{n: f"std::{n}" for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log")},
    **{n: f"std::{n}" for n in ("log10", "sqrt", "ceil", "floor", "expm1", "log1p")},
    **{"arcsin": "std::asin", "arccos": "std::acos", "arctan": "std::atan", "abs": "std::fabs"},
    **{"int": "std::trunc", "exprel": "exprel"},
}

_HEADER = """
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {
template <int Shift> inline int64_t divided(const int64_t value)
{
    if constexpr (Shift <= 0) return (int64_t)((uint64_t)value << -Shift);
    else return (value + ((int64_t)1 << (Shift - 1))) >> Shift;
}
template <int Shift, int Bits> inline int32_t rounded(const int64_t exact, int64_t& saturated)
{
    const int64_t value = divided<Shift>(exact), limit = (int64_t)1 << (Bits - 1);
    const int64_t kept = std::min(std::max(value, -limit), limit - 1);
    saturated += kept != value;
    return (int32_t)kept;
}
inline uint32_t advanced(uint32_t word) { word ^= word << 13; word ^= word >> 17; word ^= word << 5; return word; }
template <int Shift, int Bits> inline int32_t rounded_at_random(const int64_t exact, int64_t& saturated, uint32_t& word)
{
    word = advanced(word);
    const int64_t added = Shift <= 32 ? (int64_t)((uint64_t)word >> (32 - std::min(Shift, 32)))
                                      : (int64_t)((uint64_t)word << (std::max(Shift, 32) - 32));
    return rounded<0, Bits>((exact + added) >> Shift, saturated);
}
template <int Step, int Count> inline int32_t looked_up(const int32_t x, const int64_t origin, const int32_t (&entries)[Count])
{
    const int64_t last = (int64_t)(Count - 1) << Step;
    const int64_t offset = std::min(std::max((int64_t)x - origin, (int64_t)0), last);
    const int64_t place = std::min(offset >> Step, (int64_t)(Count - 2));
    const int64_t rise = ((int64_t)entries[place + 1] - entries[place])*(offset - (place << Step));
    return (int32_t)(entries[place] + divided<Step>(rise));
}
inline int32_t byte_sum(const uint32_t word)
{
    const uint32_t halves = (word & 0x00ff00ffu) + ((word >> 8) & 0x00ff00ffu);
    return (int32_t)((halves & 0xffffu) + (halves >> 16));
}
inline double exprel(const double x) { return std::fabs(x) < 1e-7 ? 1 + x/2 : std::expm1(x)/x; }

template <class T, class W> void stencil(T* __restrict out, const T* __restrict x, const int32_t* __restrict pre,
                                const int32_t* __restrict post, const int rows, const int columns, const W denominator)
{
    std::vector<T> none(columns, T(0));
    for (int r = 0; r < rows; r++)
    {
        const T* __restrict own = x + (size_t)r*columns;
        const T* __restrict above = r ? own - columns : none.data();
        const T* __restrict below = r + 1 < rows ? own + columns : none.data();
        const int32_t* __restrict p = pre + (size_t)r*columns;
        const int32_t* __restrict q = post + (size_t)r*columns;
        T* __restrict to = out + (size_t)r*columns;
        const auto one = [&](const int c, const T left, const T right) {
            to[c] = (T)((((above[c] + below[c]) + left) + right)*p[c] + own[c]*q[c]);
            if constexpr (sizeof(W) == sizeof(double)) to[c] = (T)(to[c]/denominator);
        };
        if (columns == 1) { one(0, T(0), T(0)); continue; }
        one(0, T(0), own[1]);
        for (int c = 1; c < columns - 1; c++) one(c, own[c - 1], own[c + 1]);
        one(columns - 1, own[columns - 2], T(0));
    }
}
}
"""


def source(program: Program, fixed: bool) -> str:
    """C++ of a program.

    Each population has ``void advance_NAME(T* const* arrays, const T* const* frames, const int32_t*
    const* shown, const uint32_t seed, uint32_t* registers, uint32_t* roundings, int64_t step,
    int64_t count, int64_t* saturated)``: ``arrays`` are its variables in their order, ``frames``
    the stimuli's possible values one after the other, ``shown`` which of them each step shows
    (``count`` + 1 entries).
    """
    parts = [_HEADER]
    if not fixed:
        parts += [f"#include {h}" for h in noise.CPP_HEADERS]
        parts += [noise.CPP, noise.CPP_BLOCKS]
    parts += [_Population(p, program.dt, fixed).text() for p in program.populations.values()]
    return "\n".join(parts)


class _Population:
    def __init__(self, population: Population, base: float, fixed: bool):
        self._population, self._base, self._fixed = population, base, fixed
        self._number = "int32_t" if fixed else "double"
        self._variables = tuple(population.initial)
        self._stencils: list[tuple[str, Stencil]] = []

    def text(self) -> str:
        p, number = self._population, self._number
        splits = any(isinstance(o, Stencil) for o in p.correct.operations)
        last = [p.correct, p.fire]
        loops = [[p.predict], last] if splits else [[p.predict, *last]]
        tables: list[str] = []
        body = [text for n, blocks in enumerate(loops) for text in self._loop(n, blocks, tables)]
        lines = [f"namespace pop_{p.name} {{", f"constexpr int size = {p.size};", *tables]
        lines += self._weights()
        lines += [
            "}",
            f'extern "C" void advance_{p.name}({number}* const* arrays, const {number}* const* frames,',
            "    const int32_t* const* shown, const uint32_t seed, uint32_t* registers,",
            "    uint32_t* roundings, int64_t step, const int64_t count, int64_t* saturations)",
            "{",
            f"using namespace pop_{p.name}; using T = {number};",
            "int64_t saturated = 0; (void)seed; (void)registers; (void)roundings; (void)frames; (void)shown;",
        ]
        lines += [f"T* __restrict {v}_array = arrays[{n}];" for n, v in enumerate(self._variables)]
        kept = [f"{s.out}_sum" for _, s in self._stencils]
        kept += [f"{x}_predicted_array" for x in p.state] if splits else []
        lines += [
            f"std::vector<T> {k}_held(size); T* __restrict {k} = {k}_held.data();" for k in kept
        ]
        if p.noise:
            lines.append(
                "std::vector<T> normal_held(size); T* __restrict normal_array = normal_held.data();"
            )
            if not self._fixed:
                lines += self._places()
        lines.append(f"for (int64_t n = 0; n < count; n++, step += {p.period})")
        lines += ["{", *self._times(), *self._stimuli(), *self._noise(), *body, "}"]
        lines += ["*saturations += saturated;", "}"]
        return "\n".join(lines)

    def _times(self) -> list[str]:
        period = self._population.period
        if self._fixed:
            return [
                "const T v_t = (T)step; (void)v_t;",
                f"const T v_t_later_ = (T)(step + {period}); (void)v_t_later_;",
            ]
        dt = repr(self._population.dt)
        return [
            f"const T v_t = (T)(step/{period})*{dt}; (void)v_t;",
            f"const T v_t_later_ = (T)(step/{period} + 1)*{dt}; (void)v_t_later_;",
        ]

    def _stimuli(self) -> list[str]:
        lines = []
        for n, s in enumerate(self._population.stimulated):
            for name, at in ((s.variable, "n"), (f"{s.variable}_later_", "n + 1")):
                lines.append(
                    f"const T* __restrict {name}_array = frames[{n}] + (size_t)shown[{n}][{at}]*size; (void){name}_array;"
                )
        return lines

    def _noise(self) -> list[str]:
        p = self._population
        if not p.noise:
            return []
        if self._fixed:
            return [
                "for (int i = 0; i < size; i++)",
                "{",
                "const uint32_t one = advanced(registers[i]), two = advanced(one);",
                "registers[i] = two; normal_array[i] = byte_sum(one) + byte_sum(two) - 1020;",
                "}",
            ]
        return [
            f"neuroglia_normals(placed.data(), scrambled.data(), blocks, neuroglia_of_step(seed, {p.stream}u, step/{p.period}));",
            "for (int i = 0; i < size; i++) normal_array[i] = placed[places[i]];",
        ]

    def _places(self) -> list[str]:
        """What the noise needs beside the units' array: it is numbered in the order of lanes."""
        order = lanes.of(self._population.shape)
        return [
            f"constexpr uint32_t blocks = {-(-order.count // noise.BLOCK)};",
            "std::vector<uint32_t> scrambled(32*blocks), places(size);",
            "std::vector<T> placed(64*blocks);",
            "neuroglia_scramble(scrambled.data(), blocks);",
            f"for (int i = 0; i < size; i++) places[i] = neuroglia_place(i, NeurogliaLanes{{{order.numbers}}});",
        ]

    def _weights(self) -> Iterable[str]:
        for label, s in self._stencils:
            for kind, values in (("pre", s.pre), ("post", s.post)):
                numbers = ",".join(str(int(v)) for v in values)
                yield f"static const int32_t {kind}_{label}_{s.out}[] = {{ {numbers} }};"

    def _loop(self, number: int, blocks: list[Block], tables: list[str]) -> list[str]:
        """One pass over the units."""
        p = self._population
        before, inside = [], []
        read = set().union(*(b.reads() for b in blocks))
        assigned = {x for b in blocks for x in b.assign}
        later = number > 0
        for block in blocks:
            for o in block.operations:
                if isinstance(o, Stencil):
                    label = f"loop_{number}"
                    self._stencils.append((label, o))
                    before.append(
                        f"stencil<T, {'int32_t' if self._fixed else 'double'}>({o.out}_sum, {o.x}_array,"
                        f" pre_{label}_{o.out}, post_{label}_{o.out}, {o.shape[0]}, {o.shape[1]}, {o.denominator});"
                    )
                    inside.append(f"const T {_named(o.out)} = {o.out}_sum[i];")
        predicted = [
            x
            for x in p.state
            if any(o.out == f"{x}_predicted" for b in blocks for o in b.operations)
        ]
        variables = [v for v in self._variables if v in read | assigned]
        loads = [f"T {_named(v)} = {v}_array[i]; (void){_named(v)};" for v in variables]
        for s in p.stimulated:
            loads += [
                f"const T {_named(n)} = {n}_array[i]; (void){_named(n)};"
                for n in (s.variable, f"{s.variable}_later_")
                if n in read
            ]
        if p.noise and p.noise in read:
            loads.append(f"const T {_named(p.noise)} = normal_array[i];")
        if later:
            loads += [
                f"const T {_named(y)} = {y}_array[i]; (void){_named(y)};"
                for y in map(stages.predicted, p.state)
            ]
        else:
            loads += [
                f"T {_named(y)}; (void){_named(y)};" for y in map(stages.predicted, predicted)
            ]
        stores = [f"{v}_array[i] = {_named(v)};" for v in variables if v in assigned]
        if any(isinstance(o, Linear) and _random(o) for b in blocks for o in b.operations):
            loads.append("uint32_t word = roundings[i];")
            stores.append("roundings[i] = word;")
        if (
            not later
            and f"{next(iter(p.state), '')}_predicted"
            and any(isinstance(o, Stencil) for o in p.correct.operations)
        ):
            stores += [f"{y}_array[i] = {_named(y)};" for y in map(stages.predicted, predicted)]
        for n, block in enumerate(blocks):
            inside.append("{")
            for o in block.operations:
                if not isinstance(o, Stencil):
                    inside.append(self._operation(o, f"{number}_{n}", set(predicted), tables))
            inside += [f"{_named(x)} = {_named(y)};" for x, y in block.assign.items()]
            inside.append("}")
        count, counted = (
            (["int64_t beyond = 0;"], ["saturated += beyond;"]) if self._fixed else ([], [])
        )
        return [
            *before,
            "#pragma GCC ivdep",
            "for (int i = 0; i < size; i++)",
            "{",
            *count,
            *loads,
            *inside,
            *stores,
            *counted,
            "}",
        ]

    # ------------------------------------------------------------------ operations

    def _operation(self, o: Operation, label: str, predicted: set[str], tables: list[str]) -> str:
        declared = o.out.removesuffix("_predicted") in predicted and o.out.endswith("_predicted")
        return f"{'' if declared else 'const T '}{_named(o.out)} = {self._value(o, label, tables)};"

    def _value(self, o: Operation, label: str, tables: list[str]) -> str:
        match o:
            case Linear(sum=total, rounding=rounding):
                return self._rounded(self._sum(total), rounding)
            case Product(a=a, b=b, rounding=rounding):
                return self._product(_named(a), _named(b), rounding)
            case Clip(x=x, low=low, high=high):
                return f"std::min(std::max({_named(x)}, (T){low!r}), (T){high!r})"
            case Test(relation=relation, left=left, right=right):
                return f"(T)(({self._sum(left)}) {relation} ({self._sum(right)}))"
            case Select(condition=condition, then=then, otherwise=otherwise):
                return f"{_named(condition)} != 0 ? {_named(then)} : {_named(otherwise)}"
            case Function(x=x) if self._fixed:
                name = f"entries_{label}_{o.out}"
                numbers = ",".join(map(str, o.entries))
                tables.append(f"static const int32_t {name}[] = {{ {numbers} }};")
                return f"looked_up<{o.step}>({_named(x)}, {o.origin}LL, {name})"
            case Function(x=x, text=text):
                return f"[](const double x) {{ return {_expression(text)}; }}({_named(x)})"
        raise TypeError(o)

    def _product(self, a: str, b: str, rounding: Rounding | None) -> str:
        return self._rounded(f"(int64_t){a}*{b}", rounding) if self._fixed else f"{a}*{b}"

    def _rounded(self, text: str, rounding: Rounding | None) -> str:
        if rounding is None:
            return text
        if rounding.random:
            return f"rounded_at_random<{rounding.shift}, {rounding.bits}>({text}, beyond, word)"
        return f"rounded<{rounding.shift}, {rounding.bits}>({text}, beyond)"

    def _sum(self, total: Sum) -> str:
        if not self._fixed:
            named = [(_named(name), factor) for name, factor in total.terms]
            terms = [name if factor == 1 else f"{factor!r}*{name}" for name, factor in named]
            return " + ".join([*terms, repr(float(total.constant))])
        terms = [f"(int64_t){_named(name)}*{self._integer(factor)}" for name, factor in total.terms]
        return " + ".join([*terms, f"{int(total.constant)}LL"])

    @staticmethod
    def _integer(factor: float) -> str:
        """A coefficient; one of 32 bits keeps the product a 32 by 32 bit one."""
        return f"({int(factor)})" if abs(factor) < 2**31 else f"({int(factor)}LL)"


def _named(value: str) -> str:
    """A value's name in C++, which is none of the loop's own."""
    return f"v_{value}"


def _random(operation: Linear) -> bool:
    return operation.rounding is not None and operation.rounding.random


def _expression(text: str) -> str:
    return _render(ast.parse(text, mode="eval").body)


def _render(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=int() | float() as value):
            return repr(float(value))
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{_render(operand)})"
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"std::pow({_render(left)}, {_render(right)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}.get(type(op))
            if sign:
                return f"({_render(left)} {sign} {_render(right)})"
        case ast.Call(func=ast.Name(id="clip"), args=[x, low, high]):
            return f"std::min(std::max({_render(x)}, {_render(low)}), {_render(high)})"
        case ast.Call(func=ast.Name(id=name), args=[x]) if name in FUNCTIONS:
            return f"{FUNCTIONS[name]}({_render(x)})"
    raise BackendError(f"'{ast.unparse(node)}' has no C++ here")
