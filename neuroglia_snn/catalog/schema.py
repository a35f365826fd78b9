"""Which keys each table of a model file may hold, and of which type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

TEXT, LIST, TABLE, INTEGER = (str,), (list,), (dict,), (int,)
QUANTITY = (str, int, float)
NUMBER = (int, float)
COUNT = (int, str)
CODE = (str, dict)

TABLES: dict[str, dict[str, tuple[type, ...]]] = {
    "": {
        **dict.fromkeys(("model", "parameters", "table", "population", "projection"), TABLE),
        **dict.fromkeys(("stimulus", "record", "experiment"), TABLE),
        "phase": LIST,
    },
    "model": {
        **dict.fromkeys(("title", "description", "doi", "noise", "integrator", "extends"), TEXT),
        "precision": TEXT,
        "remove": LIST,
        "dt": QUANTITY,
        "duration": QUANTITY,
    },
    "parameters.*": {
        "value": QUANTITY,
        "min": QUANTITY,
        "max": QUANTITY,
        "source": TEXT,
        "about": TEXT,
    },
    "table.*": {
        "values": LIST,
        **dict.fromkeys(("file", "array", "unit", "source", "about"), TEXT),
        "dt": QUANTITY,
    },
    "population.*": {
        "shape": LIST,
        "size": COUNT,
        **dict.fromkeys(("equations", "threshold", "reset", "refractory", "integrator"), TEXT),
        "dt": QUANTITY,
        "spacing": QUANTITY,
        "rates": (str, int, float, dict),
        "spikes": (list, dict),
        "initial": TABLE,
        "linked": TABLE,
        "range": TABLE,
        "regularly": LIST,
        "events": TABLE,
    },
    "population.*.events.*": {"condition": TEXT, "action": TEXT},
    "projection.*": {
        **dict.fromkeys(("from", "to", "equations", "integrator"), TEXT),
        **dict.fromkeys(("on_pre", "on_post", "delay", "on_event"), CODE),
        "dt": QUANTITY,
        "connect": TABLE,
        "initial": TABLE,
        "range": TABLE,
    },
    "stimulus.*": {
        **dict.fromkeys(("to", "variable"), TEXT),
        "image": CODE,
        **dict.fromkeys(("amplitude", "start", "duration", "period"), QUANTITY),
        **dict.fromkeys(("rate", "weight", "inputs"), QUANTITY),
        "count": INTEGER,
    },
    "record.*": {
        **dict.fromkeys(("population", "projection", "reduce"), TEXT),
        "units": (list, str),
        "variables": LIST,
        "every": QUANTITY,
        "stride": INTEGER,
        "events": (bool, str),
    },
}

#: Keys of a ``[[phase]]``.
PHASE: dict[str, tuple[type, ...]] = {"name": TEXT, "duration": QUANTITY, "set": TABLE}

#: Keys of each connection rule (``connect = { rule = "...", ... }``).
CONNECT: dict[str, dict[str, tuple[type, ...]]] = {
    "lattice": {"neighbours": INTEGER, "edges": TEXT},
    "footprint": {"size": LIST, "step": LIST},
    "first-footprint": {"size": LIST, "step": LIST},
    "one-to-one": {},
    "all": {},
    "condition": {"condition": TEXT, "p": QUANTITY, "n": QUANTITY},
    "pairs": {"pairs": LIST, "file": TEXT, "i": TEXT, "j": TEXT},
    "kernel": {"cutoff": QUANTITY, "p": QUANTITY, "edges": TEXT, "self": (bool,)},
    "generator": {"j": TEXT, "i": TEXT},
    "third-in": {"of": TEXT, "p": QUANTITY, "pool_size": COUNT, "pool_type": TEXT},
    "third-out": {"of": TEXT},
}
#: How the units of a third population are chosen that a target's synapses may be paired with.
POOLS = ("random", "block")
#: What is beyond the edges of a lattice: nothing, or what is at the edge across.
EDGES = ("zero-flux", "periodic")


def is_of(value: object, types: tuple[type, ...]) -> bool:
    """Whether a value is of one of the types; true and false are no numbers."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def type_names(types: Iterable[type]) -> str:
    """``text``, ``a number or text``... for messages."""
    words = {str: "text", int: "a whole number", float: "a number", list: "a list"}
    words |= {dict: "a table", bool: "true or false"}
    if tuple(types) == COUNT:
        return "a whole number, or text that is worked out to one"
    if tuple(types) == QUANTITY:
        return "a number, or text with a unit such as '2 ms'"
    return " or ".join(words[t] for t in types)


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean 'x'?`` or nothing."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""
