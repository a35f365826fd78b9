"""Scripts that start worker processes: each worker imports its script, which must not start workers again."""

from __future__ import annotations

import multiprocessing

#: What such a script must do.
SENTENCE = (
    "a script with several workers runs or sweeps below `if __name__ == '__main__':`, since each worker"
    " imports it"
)


def leave_if_imported() -> None:
    """End a worker process that is still importing its script, without a word.

    The process that started it then says what is wrong, once.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)
