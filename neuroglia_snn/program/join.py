"""A state update and the threshold that follows it become one step, so that every state is read once.

What the update works out anew in every step and the threshold alone reads, ``not_refractory`` as a rule, is
then written where somebody may look: at the end of a run and before Python goes on.
"""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn.program.fuse import arranged, changed, group_of, outside
from neuroglia_snn.program.program import Kernel, Program, Step, Threshold, Update
from neuroglia_snn.program.sharing import among_units
from neuroglia_snn.program.tree import Expression, Local


def joined(program: Program) -> Program:
    """The program whose thresholds compute the last update of their units before them, where they can."""
    steps = program.steps
    for step in program.steps:
        if isinstance(step, Threshold):
            steps = _with_update(steps, step) or steps
    return replace(program, steps=[_with_private(steps, n) for n in range(len(steps))])


def _with_private(steps: list[Step], number: int) -> Step:
    """A threshold that knows which arrays are its own."""
    step = steps[number]
    if not isinstance(step, Threshold):
        return step
    read = {cell.array for cell in step.kernel.read_first()} | outside(steps, [number])
    own = {cell.array for cell in step.kernel.writes() if cell.index is None}
    return replace(step, private=frozenset(own - read))


def _with_update(steps: list[Step], threshold: Threshold) -> list[Step] | None:
    """The steps with a threshold and its update as one, in the place of the first; None where others need both."""
    last, group = steps.index(threshold), group_of(threshold)
    own = [n for n, s in enumerate(steps[:last]) if isinstance(s, Update) and group_of(s) == group]
    if group is None or not own:
        return None
    first = own[-1]
    update = steps[first]
    assert isinstance(update, Update)
    kernel = _one_after_the_other(update.kernel, threshold.kernel)
    places = arranged(steps, [first, last])
    if places is None or update.clock != threshold.clock or not among_units(kernel):
        return None
    before, after = ([steps[n] for n in some] for some in places)
    both = replace(threshold, owner=update.owner, kernel=kernel)
    return [*steps[:first], *before, both, *after, *steps[last + 1 :]]


def _one_after_the_other(first: Kernel, second: Kernel) -> Kernel:
    """A kernel that does both for each unit, with the results of the second."""
    free = first.first_free()

    def renamed(e: Expression) -> Expression:
        return replace(e, number=e.number + free) if isinstance(e, Local) else e

    return Kernel(
        (*first.before, *(changed(s, renamed) for s in second.before)),
        (*first.each, *(changed(s, renamed) for s in second.each)),
        {
            name: replace(local, number=local.number + free)
            for name, local in second.results.items()
        },
    )
