"""One input again, from its seed: ``python tests/fuzz files 1234``, ``settings``, ``hardware``, ``model``.

Prints the failure and the smallest file that has it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import contract, failures, mutate, random_models, whole
from fuzz.test_files import INPUTS


def main(kind: str, seed: int) -> int:
    """Exit status 1 if the contract is broken."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if kind == "model":
            return _model(seed, folder)
        try:
            INPUTS[kind](seed, folder)
        except contract.BrokenError as error:
            print(error)
        else:
            print("holds")
            return 0
        if kind == "files":
            path = folder / "model.toml"
            print(failures.smallest(path, lambda: failures.kind_of(lambda: contract.check(path))))
        elif kind == "settings":
            print(mutate.settings(seed))
        else:
            print((folder / "chip.toml").read_text(encoding="utf-8"))
    return 1


def _model(seed: int, folder: Path) -> int:
    said: dict[int, str] = {}
    try:
        parts = random_models.sound([seed], folder)
        for backend in ("cpp", "fused"):
            said |= random_models.compared(parts, folder, backend)
    except contract.BrokenError as error:
        said[seed] = str(error)
    print(said.get(seed, "holds"))
    print(whole.dumps(random_models.joined([random_models.part(seed)])))
    return len(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
