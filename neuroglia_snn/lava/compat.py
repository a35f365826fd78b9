"""Import lava-nc where it does not import by itself.

lava-nc 0.10.0 declares Python 3.10. From 3.11 on, `dataclasses` refuses a default value whose class
has no hash, and one class of ``lava.magma.compiler.var_model`` (``ByteEncoder``, itself a dataclass, so
without a hash) is such a default. While that module is imported, its dataclasses get the hash that
every plain object has. Nothing else of Lava is touched; on Python 3.10 nothing is done.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import multiprocessing
import sys
from collections.abc import Callable

from neuroglia_snn.errors import BackendError

_MODULE = "lava.magma.compiler.var_model"
#: What lava-nc needs and does not bring when it is installed without its dependencies.
_NEEDED = ("scipy", "networkx")


def missing() -> str | None:
    """What to type where lava-nc, or a package that it needs, is not installed; or None."""
    if importlib.util.find_spec("lava") is None:
        if sys.version_info < (3, 11):
            return "lava-nc is not installed: pip install 'neuroglia_snn[lava]'"
        return (
            "lava-nc is not installed: pip install scipy networkx && pip install"
            " --ignore-requires-python --no-deps lava-nc==0.10.0"
        )
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            return f"lava-nc needs {name}: pip install {name}"
    return None


def missing_of_connections() -> str:
    """What to type where lava-nc's own connections lack a package of theirs; nothing otherwise."""
    found = importlib.util.find_spec("asteval")
    return "" if found else "Lava's Sparse needs asteval: pip install asteval"


def prepare() -> None:
    """Make lava importable.

    Raises
    ------
    BackendError
        With what to type, where it is not installed.
    """
    said = missing()
    if said:
        raise BackendError(said)
    if "lava.magma.runtime.runtime" not in sys.modules:
        multiprocessing.set_start_method(None, force=True)  # Lava sets it, which only works once
    if sys.version_info < (3, 11) or _MODULE in sys.modules:
        return
    original = dataclasses.dataclass
    dataclasses.dataclass = _hashable(original)  # type: ignore[assignment]
    try:
        importlib.import_module(_MODULE)
    finally:
        dataclasses.dataclass = original


def _hashable(original: Callable) -> Callable:
    """The decorator, with a hash for the dataclasses of the one module."""

    def dataclass(cls: type | None = None, /, **options: object):
        def decorate(cls: type) -> type:
            made = original(cls, **options)
            if made.__module__ == _MODULE and made.__hash__ is None:
                made.__hash__ = object.__hash__  # type: ignore[method-assign]
            return made

        return decorate if cls is None else decorate(cls)

    return dataclass
