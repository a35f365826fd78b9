"""Which keys each table of a model file may hold, and of which type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

TEXT, LIST, TABLE, INTEGER = (str,), (list,), (dict,), (int,)
QUANTITY = (str, int, float)
NUMBER = (int, float)
CODE = (str, dict)

TABLES: dict[str, dict[str, tuple[type, ...]]] = {
    "": {
        **dict.fromkeys(("model", "parameters", "table", "population", "projection"), TABLE),
        **dict.fromkeys(("stimulus", "record", "experiment"), TABLE),
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
    "table.*": {"values": LIST, "dt": QUANTITY, "source": TEXT, "about": TEXT},
    "population.*": {
        "shape": LIST,
        "size": INTEGER,
        **dict.fromkeys(("equations", "threshold", "reset", "refractory", "integrator"), TEXT),
        "dt": QUANTITY,
        "initial": TABLE,
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
    },
    "stimulus.*": {
        **dict.fromkeys(("to", "variable", "image"), TEXT),
        **dict.fromkeys(("amplitude", "start", "duration", "period"), QUANTITY),
        "count": INTEGER,
    },
    "record.*": {
        **dict.fromkeys(("population", "reduce"), TEXT),
        "variables": LIST,
        "every": QUANTITY,
        "stride": INTEGER,
        "events": (bool, str),
    },
}

#: Keys of each connection rule (``connect = { rule = "...", ... }``).
CONNECT: dict[str, dict[str, tuple[type, ...]]] = {
    "lattice": {"neighbours": INTEGER, "edges": TEXT},
    "footprint": {"size": LIST, "step": LIST},
    "first-footprint": {"size": LIST, "step": LIST},
    "one-to-one": {},
    "all": {},
    "condition": {"condition": TEXT, "p": QUANTITY, "n": QUANTITY},
    "pairs": {"pairs": LIST, "file": TEXT, "i": TEXT, "j": TEXT},
}

#: Keys of each kind of experiment.
EXPERIMENTS: dict[str, dict[str, tuple[type, ...]]] = {
    "associative-memory": {
        **dict.fromkeys(("train", "test", "population", "glia"), TEXT),
        **dict.fromkeys(("last_spike", "spikes", "potential", "calcium"), TEXT),
        **dict.fromkeys(("cue", "recall", "window"), QUANTITY),
        **dict.fromkeys(("train_noise", "test_noise"), NUMBER),
        "test_pattern": TEXT,
    },
    "mean-field": dict.fromkeys(("record", "variable", "spike"), TEXT),
    "canonical-network": {"trials": INTEGER},
    "self-organisation": {
        **dict.fromkeys(("sources", "stimuli", "responses"), TEXT),
        "trial": QUANTITY,
        "trials": INTEGER,
    },
    "classifier": {
        **dict.fromkeys(("population", "input", "output", "amplitude"), TEXT),
        **dict.fromkeys(("transient", "control"), QUANTITY),
        **dict.fromkeys(("samples", "base_epochs", "epochs"), INTEGER),
    },
}

#: Parameters that a canonical network is made from.
CANONICAL = ("mixing", "excitability", "insensitivity", "preference")
#: What the cue of a memory experiment may show.
TEST_PATTERNS = ("trained", "disjoint")
#: What keys are that an experiment need not give.
EXPERIMENT_DEFAULTS: dict[str, dict[str, object]] = {
    "associative-memory": {"train_noise": 0.10, "test_noise": 0.40, "test_pattern": "trained"},
}


def is_of(value: object, types: tuple[type, ...]) -> bool:
    """Whether a value is of one of the types; true and false are no numbers."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def type_names(types: Iterable[type]) -> str:
    """``text``, ``a number or text``... for messages."""
    words = {str: "text", int: "a whole number", float: "a number", list: "a list"}
    words |= {dict: "a table", bool: "true or false"}
    if tuple(types) == QUANTITY:
        return "a number, or text with a unit such as '2 ms'"
    return " or ".join(words[t] for t in types)


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean 'x'?`` or nothing."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""
