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
    try:
        brian2.set_device(device, **options)
        BrianObject._scope_current_key = next(_scopes)
        yield
    finally:
        BrianObject._scope_current_key = scope
        reset_device()
        runtime_device.set_random_state(numbers)
