"""A backend that worker processes can import: what a run does depends on its seed alone."""

from __future__ import annotations

import time

from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.errors import BackendError

FAILS, SLEEPS, REPORTS = 1, 2, 3


class Scripted:
    """Runs that give nothing."""

    def run(self, request: Request) -> Outcome:
        if request.seed == FAILS:
            raise BackendError("seed 1 fails")
        if request.seed == REPORTS and request.progress:
            request.progress(0.5, 0.1)
        if request.seed != 0:
            time.sleep(300)
        return Outcome({}, {}, {}, 0.0, 0.0, False, {})
