"""Brian2's code generation from expressions as they are written.

Brian2 has sympy work statements out, to find those that only add or multiply, and definitions, to find
random numbers in them. `check` has seen to the latter, and sympy does not survive every right
expression: it compares and simplifies what it takes for complex, infinite or negative. Brian2 itself
takes ``0*x`` for 0 and ``x/x`` for 1, also where x is no number. And what it pulls out of a loop is, in
NumPy code, arithmetic on Python's own numbers, which fails where NumPy and C++ give an infinity.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import brian2
import sympy
from brian2.codegen import optimisation, translation
from brian2.groups import neurongroup
from brian2.synapses import synapses


@contextmanager
def as_written(hoisted: bool = True) -> Iterator[None]:
    """Let Brian2 generate code that works out what is written, and no other expression.

    With ``hoisted`` it may pull what is the same for all units out of loops.
    """
    nothing = sympy.Dummy()  # of which nothing can be collected
    statements = inspect.unwrap(translation.make_statements)
    with ExitStack() as stack:
        for owner, name, value in (
            (translation, "str_to_sympy", lambda *_: nothing),
            (neurongroup, "check_subexpressions", lambda *_: None),
            (synapses, "check_subexpressions", lambda *_: None),
            (optimisation, "_replace_with_zero", lambda zero, product: product),
            (optimisation, "cancel_identical_terms", lambda above, below: (above, below)),
            (statements, "_cache", {}),  # by the code alone: that of other scripts is apart
            (brian2.prefs.codegen, "loop_invariant_optimisations", hoisted),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield
