"""Brian2 for a run of ours, apart from whatever else a session does with Brian2."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brian2
from brian2.core.base import BrianObject
from brian2.devices.device import Device, reset_device, runtime_device

#: Scopes of our runs; those of a session count from 0 up.
_scopes = itertools.count(-1, -1)


@contextmanager
def apart(device: Device | str, **options: Any) -> Iterator[None]:
    """A device and a scope of our own; device, scope and random numbers of before come back after it."""
    scope, numbers = BrianObject._scope_current_key, runtime_device.get_random_state()
    ours = next(_scopes)
    try:
        brian2.set_device(device, **options)
        BrianObject._scope_current_key = ours
        yield
    except BaseException:
        _take(ours)
        raise
    finally:
        BrianObject._scope_current_key = scope
        reset_device()
        runtime_device.set_random_state(numbers)


def _take(scope: int) -> None:
    """Take the objects of a scope for used: an error came before they were, and Brian2 would warn of each."""
    for reference in list(BrianObject.__instances__()):
        found = reference()
        if found is not None and found._scope_key == scope and found._network is None:
            found._network = "none"
