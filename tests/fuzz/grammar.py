"""Expressions, statements and equations of Brian2's language at random, right ones and wrong ones."""

from __future__ import annotations

import random
import re

from fuzz import injections

#: What stands in the whole models, and what a model file may always name.
SYMBOLS = ("v", "x", "y", "z", "n", "I", "drive", "strength", "tau", "t", "dt", "i", "N", "pi")
SYMBOLS += ("x_pre", "x_post", "v_post", "N_incoming", "j", "ms", "mV", "sigma", "w", "xi")
NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "1e-3",
    "1e300",
    "1e-300",
    "3",
    "7",
    "1000000",
    "0.1",
    "1e18",
)
FUNCTIONS = ("exp", "log", "sqrt", "sin", "tanh", "abs", "int", "floor", "sign", "exprel", "arccos")
FUNCTIONS += ("log10", "cosh", "arctan", "ceil", "expm1", "log1p", "wave", "poisson", "timestep")
OPERATORS = ("+", "-", "*", "/", "//", "%", "**")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
UNITS = (
    "1",
    "volt",
    "second",
    "mV",
    "amp",
    "integer",
    "boolean",
    "hertz",
    "nonsense",
    "1/0",
    "m**3",
)
FLAGS = ("", "", "", " (constant)", " (shared)", " (summed)", " (event-driven)", " (linked)")
FLAGS += (" (unless refractory)", " (constant over dt)", " (constant, shared)", " (odd)")
#: Names that mean something to somebody.
NAMES = (
    "x",
    "v",
    "N",
    "i",
    "j",
    "t",
    "dt",
    "xi",
    "xi_1",
    "e",
    "pi",
    "inf",
    "s",
    "exp",
    "rand",
    "and",
)
NAMES += ("int", "lambda", "None", "True", "class", "xor", "main", "NULL", "errno", "M_PI", "std")
NAMES += ("numpy", "np", "brian2", "neuron_group", "clock", "run", "self", "open", "second", "mV")
NAMES += ("lastspike", "not_refractory", "N_incoming", "x_pre", "noise_seed", "_idx", "a__b", "a_")
NAMES += ("idx", "vectorisation_idx", "loop", "steps", "base_dt", "normal", "weight_0", "unix", "I")
NAMES += ("x_predicted", "x_updated", "x_step", "train", "test", "cell", "sheet", "synapses", "E")
NAMES += (
    "defaultclock",
    "spot_on",
    "spot_image",
    "table_wave",
    "gate_spot",
    "rows",
    "places",
    "y0",
)
#: Pieces of text that an accident leaves anywhere.
SCRAPS = ("\n", "\t", '"', "'", "'''", "[", "]", "{", "}", "=", "==", "#", ".", ",", ":", "\\", "(")
SCRAPS += (
    ")",
    "x",
    "0",
    "é",
    "\u2028",
    "\r",
    "\0",
    "[model]\n",
    "-",
    "1e999",
    "inf",
    "\ufeff",
    "//",
)


def name(rng: random.Random) -> str:
    """A name, perhaps one that is taken."""
    return rng.choice(NAMES)


def hostile(rng: random.Random) -> str:
    """A string that should not run, or should not be there."""
    pool = rng.choice((injections.CODE, injections.AFTER, injections.ODD, NAMES, NUMBERS))
    text = rng.choice(pool).replace("{mark}", "zqINJ")
    if rng.random() < 0.2:
        text = rng.choice(NUMBERS) + text
    return text


def expression(rng: random.Random, depth: int) -> str:
    """An expression, often with the right types."""
    if depth <= 0 or rng.random() < 0.15:
        return rng.choice((*SYMBOLS, *NUMBERS))
    kind = rng.random()
    inner = [expression(rng, depth - 1) for _ in range(3)]
    if kind < 0.5:
        return f"({inner[0]} {rng.choice(OPERATORS)} {inner[1]})"
    if kind < 0.7:
        return f"{rng.choice(FUNCTIONS)}({inner[0]})"
    if kind < 0.75:
        return f"clip({', '.join(inner)})"
    if kind < 0.8:
        return f"-({inner[0]})"
    if kind < 0.9:
        return f"int({condition(rng, depth - 1)})"
    if kind < 0.95:
        return rng.choice(("rand()", "randn()", "poisson(2)", "rand", "int()", "exp(1, 2)"))
    return condition(rng, depth - 1)


def condition(rng: random.Random, depth: int) -> str:
    """A condition."""
    if depth > 0 and rng.random() < 0.4:
        sides = (condition(rng, depth - 1), condition(rng, depth - 1))
        return f"({sides[0]} {rng.choice(('and', 'or', '==', '+'))} {sides[1]})"
    if rng.random() < 0.1:
        return rng.choice(("True", "False", "not True", "not_refractory"))
    sides = (expression(rng, depth - 1), expression(rng, depth - 1))
    return f"{sides[0]} {rng.choice(COMPARISONS)} {sides[1]}"


def statement(rng: random.Random) -> str:
    """An assignment."""
    operator = rng.choice(("=", "+=", "-=", "*=", "/=", "%=", "**=", "//=", "==", ":=", "^="))
    return f"{rng.choice((*SYMBOLS, *NAMES))} {operator} {expression(rng, 2)}"


def equation(rng: random.Random) -> str:
    """A line of an equations block."""
    left = rng.choice((*SYMBOLS, *NAMES, "k", "q"))
    unit, flag = rng.choice(UNITS), rng.choice(FLAGS)
    kind = rng.random()
    if kind < 0.4:
        return f"d{left}/dt = {expression(rng, 3)} : {unit}{flag}"
    if kind < 0.7:
        return f"{left} = {expression(rng, 3)} : {unit}{flag}"
    return f"{left} : {unit}{flag}"


def rewritten(rng: random.Random, text: str) -> str:
    """Some code with a token, an operand or a line of it made anew."""
    kind = rng.random()
    lines = text.split("\n")
    if kind < 0.25 and "\n" in text:
        at = rng.randrange(len(lines))
        lines[at] = rng.choice((equation(rng), statement(rng), lines[rng.randrange(len(lines))]))
        return "\n".join(lines)
    if kind < 0.3:
        return f"{text}\n{rng.choice((equation(rng), statement(rng)))}"
    tokens = re.findall(r"\w+|\s+|[^\w\s]", text)
    if not tokens:
        return expression(rng, 2)
    at = rng.randrange(len(tokens))
    if rng.random() < 0.6:
        tokens[at] = _alike(rng, tokens[at])
        return "".join(tokens)
    kinds = (expression(rng, 2), name(rng), rng.choice(OPERATORS), rng.choice(NUMBERS), "")
    tokens[at] = rng.choice((*kinds, tokens[at] * 2, f"({tokens[at]}", hostile(rng)))
    return "".join(tokens)


def _alike(rng: random.Random, token: str) -> str:
    """Another token of the same kind."""
    if token[0].isdigit():
        return rng.choice(NUMBERS)
    if token[0].isalpha():
        return rng.choice(FUNCTIONS if token in FUNCTIONS else SYMBOLS)
    for kind in (OPERATORS, COMPARISONS):
        if token in kind:
            return rng.choice(kind)
    return token


def changed(rng: random.Random, text: str) -> str:
    """A text of the same kind, or nearly."""
    kind = rng.random()
    if kind < 0.5:
        return rewritten(rng, text)
    if kind < 0.6:
        return text + rng.choice(injections.AFTER).replace("{mark}", "zqINJ")
    if kind < 0.7:
        number = rng.choice(NUMBERS)
        return re.sub(r"\d+\.?\d*", number, text, count=1) if re.search(r"\d", text) else number
    if kind < 0.8:
        return text.upper()
    return hostile(rng)
