"""Run a network of Lava processes, and leave nothing behind whatever happens.

Lava's own ``stop`` waits for ever once a process has failed. Here every process is watched; after a
failure, an interrupt or a process's death all of them are ended and their shared memory is given back.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress

from neuroglia_snn.errors import BackendError
from neuroglia_snn.lava import compat
from neuroglia_snn.lava.shared import Report

compat.prepare()

from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal  # noqa: E402

#: Seconds between two looks at the processes: at first, and at most.
_SOON, _LOOK = 0.0005, 0.02
#: Seconds that a failed process has to say why.
_GRACE = 1.0
_PR_SET_PDEATHSIG = 1

_starting = False


def _begin_child() -> None:
    """In every process that Lava forks: interrupts are the parent's to handle, and its end is ours."""
    if _starting:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


os.register_at_fork(after_in_child=_begin_child)


@contextmanager
def _starting_children() -> Iterator[None]:
    global _starting
    _starting = True
    try:
        yield
    finally:
        _starting = False


def run(
    process: AbstractProcess,
    models: Mapping[AbstractProcess, type],
    steps: int,
    tag: str,
    report: Report,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Run a process and everything connected to it, once.

    Parameters
    ----------
    steps : of Lava
    look : called now and then while it runs

    Raises
    ------
    LavaFailure
        Where a process fails or dies; the message has its traceback.
    """
    session = Session(process, models, tag, report)
    try:
        session.run(steps, look)
        session.stop()
    except BaseException:
        session.kill()
        raise


class Session:
    """A network of processes that has been started."""

    def __init__(
        self,
        process: AbstractProcess,
        models: Mapping[AbstractProcess, type],
        tag: str,
        report: Report,
        channel: int = 64,
    ) -> None:
        """Compile the network and start its processes.

        Parameters
        ----------
        process : any process of the network
        models : process model of each process that Lava shall not look one up for
        tag : ``floating_pt`` or ``fixed_pt``
        report : in which our processes keep a failure's traceback
        channel : messages that each channel can hold

        Raises
        ------
        LavaFailure
            Where a process cannot be built.
        """
        self._process, self._report = process, report
        configuration = Loihi2SimCfg(select_tag=tag, exception_proc_model_map=dict(models))
        printed = io.StringIO()  # Lava prints the traceback of a process that cannot be built
        try:
            with _starting_children(), redirect_stdout(printed):
                process.create_runtime(
                    run_cfg=configuration, compile_config={"pypy_channel_size": channel}
                )
        except BaseException as error:
            self.kill()
            if not isinstance(error, Exception):
                raise
            raise _failure(printed.getvalue() or str(error)) from error

    def run(self, steps: int, look: Callable[[], None] = lambda: None) -> None:
        """Go on for some steps of Lava; ``look`` is called now and then.

        Raises
        ------
        LavaFailure
            Where a process fails or dies.
        """
        self._process.runtime.start(RunSteps(num_steps=steps, blocking=False))
        self.wait(look)

    def wait(self, look: Callable[[], None] = lambda: None) -> None:
        """Wait for the steps that were begun."""
        runtime = self._process.runtime
        answer = runtime.service_to_runtime[0]
        actors = runtime._messaging_infrastructure.actors
        pause = _SOON
        while True:
            look()
            if self._report.failure:
                raise _failure(self._report.failure)
            if answer.probe():
                if enum_equal(answer.peek(), MGMT_RESPONSE.DONE):
                    runtime.wait()
                    return
                raise _failure(_last_words(actors))
            if not all(actor.is_alive() for actor in actors):
                said = _last_words(actors) or self._report.failure
                if said:
                    raise _failure(said)
                codes = [a.exitcode for a in actors if not a.is_alive()]
                raise LavaFailure(
                    f"a Lava process died ({', '.join(map(_cause, codes))}); nothing was kept"
                )
            time.sleep(pause)
            pause = min(1.2 * pause, _LOOK)

    def stop(self) -> None:
        """End all processes in order, after their last step."""
        self._process.runtime.stop()
        self._process._runtime = None  # its destructor would stop it once more

    def kill(self) -> None:
        """End every process at once and give its shared memory back."""
        _end(self._process)
        self._process._runtime = None


class LavaFailure(BackendError):
    """A Lava process failed or died; ``traceback`` is what it said, if it could."""

    def __init__(self, message: str, traceback: str = ""):
        super().__init__(message)
        self.traceback = traceback


def _failure(traceback: str) -> LavaFailure:
    lines = [line for line in traceback.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else "it did not say why"
    return LavaFailure(f"a Lava process failed: {last}", traceback)


def _last_words(actors) -> str:
    """The traceback of the first process that has one to tell."""
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        for actor in actors:
            with suppress(OSError, EOFError):
                if actor.exception:
                    return str(actor.exception[1])
        time.sleep(_LOOK)
    return ""


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    return f"killed by {signal.Signals(-code).name}"


def _end(process: AbstractProcess) -> None:
    """End every process of a runtime at once and give its shared memory back."""
    runtime = process.runtime
    infrastructure = getattr(runtime, "_messaging_infrastructure", None)
    if infrastructure is None:
        return
    for actor in infrastructure.actors:
        with suppress(ValueError, AttributeError, OSError):  # already closed
            actor.kill()
    with suppress(Exception):  # its channels may be in any state
        runtime.join()
    for actor in infrastructure.actors:
        with suppress(ValueError, OSError, EOFError):
            actor.join()
    with suppress(Exception):
        infrastructure.smm.shutdown()
    with suppress(Exception):
        runtime._watchdog_manager.stop()
    runtime._is_started = runtime._is_running = False
