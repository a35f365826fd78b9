"""The time course of a stimulus as a function for Brian2: 1 in its windows, else 0."""

from __future__ import annotations

import brian2
import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.language.names import made

_CODE = """
#ifdef __CUDACC__
static __host__ __device__ inline double %NAME%(const double t)
#else
static inline double %NAME%(const double t)
#endif
{
    const int64_t since = (int64_t)floor(t*1e9 + 0.5) - %START%LL;
    return since >= 0 && since/%PERIOD%LL < %COUNT%LL && since%%PERIOD%LL < %DURATION%LL;
}
"""


def name_of(stimulus: spec.Stimulus) -> str:
    """Name of the function."""
    return made("on", stimulus.name)


class Gate(brian2.Function):
    """Whether a stimulus is on at a time, which is rounded to whole nanoseconds as its windows are.

    Unlike a `brian2.TimedArray`, it rounds alike on every clock, and takes no memory.
    """

    def __init__(self, stimulus: spec.Stimulus):
        times = (stimulus.start, stimulus.duration, stimulus.period)
        start, duration, period = (round(t * 1e9) for t in times)

        def on(t: np.ndarray) -> np.ndarray:
            since = np.floor(np.asarray(t) * 1e9 + 0.5).astype(np.int64) - start
            inside = (since >= 0) & (since // period < stimulus.count)
            return (inside & (since % period < duration)).astype(float)

        super().__init__(on, arg_units=[brian2.second], arg_names=["t"], return_unit=1)
        self.implementations.add_implementation("numpy", on)
        code = _CODE.replace("%NAME%", name_of(stimulus)).replace("%START%", str(start))
        code = code.replace("%%PERIOD%", f"%{period}").replace("%PERIOD%", str(period))
        code = code.replace("%COUNT%", str(stimulus.count)).replace("%DURATION%", str(duration))
        headers = {"headers": ["<cstdint>", "<cmath>"]}
        for target in ("cpp", "cuda"):
            self.implementations.add_implementation(target, code, compiler_kwds=headers)

    def is_locally_constant(self, dt: float) -> bool:
        """Schemes that need a value constant over a step take the one at its start."""
        return True
