"""What the package refuses, said before anything runs."""

from __future__ import annotations

from neuroglia_snn.errors import UserError


class Refused(UserError, NotImplementedError):
    """A network cannot run on our loop; the message names the object and the feature."""


def refuse(name: str, feature: str, instead: str = "") -> Refused:
    """The sentence for an object (by name) and what of it is not supported."""
    hint = f"; {instead}" if instead else ""
    return Refused(f"'{name}': {feature} does not run on the device 'neuroglia'{hint}")
