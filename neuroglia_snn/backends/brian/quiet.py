"""Brian2 as a library: its chatter about things we decide."""

from __future__ import annotations

import functools
import signal
import sys
import threading

import brian2

#: Last part of the names of Brian2's messages.
_KNOWN = (
    # gates of stimuli are sampled at the divisor of their times, not of dt; values hold in between
    "timedarray",
    # threads are the user's choice, and results are tested not to depend on them
    "openmp",
)


def hush() -> None:
    """Silence what the user cannot act on; leave other warnings."""
    sys.excepthook = sys.__excepthook__
    ignored = getattr(signal.getsignal(signal.SIGINT), "previous_handler", None) is signal.SIG_IGN
    if ignored and threading.current_thread() is threading.main_thread():
        # in a script's background a program ignores Ctrl-C; Brian2's handler would call that a function
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _hush_messages()


@functools.cache  # each call would add filters
def _hush_messages() -> None:
    for name in _KNOWN:
        brian2.BrianLogger.suppress_name(name)
    brian2.BrianLogger.suppress_hierarchy("brian2cuda")  # its preferences, one by one
    # the order of synapses: our checks refuse what depends on it, and know which rules make one synapse a unit
    brian2.BrianLogger.suppress_hierarchy("brian2.codegen.generators.base")
    brian2.prefs.logging.delete_log_on_exit = True
