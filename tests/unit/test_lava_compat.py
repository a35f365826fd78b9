"""The import-time fix for lava-nc on newer Pythons, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from neuroglia_snn.lava import compat

needs_lava = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))
newer = pytest.mark.skipif(sys.version_info < (3, 11), reason="nothing is wrong on Python 3.10")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@needs_lava
@newer
def test_the_fix_is_needed_here():
    """If this fails, a newer lava-nc or Python needs no fix: remove it."""
    assert "mutable default" in python("import lava.magma.compiler.var_model")


@needs_lava
def test_with_the_fix_lava_imports():
    code = "from neuroglia_snn.lava import compat; compat.prepare(); compat.prepare();"
    code += "import lava.magma.compiler.compiler; print('imported')"
    assert python(code) == "imported"


@needs_lava
def test_dataclasses_are_as_before():
    code = "import dataclasses; before = dataclasses.dataclass;"
    code += "from neuroglia_snn.lava import compat; compat.prepare();"
    code += "print(dataclasses.dataclass is before)"
    assert python(code) == "True"


def test_only_the_one_modules_dataclasses_get_a_hash():
    decorate = compat._hashable(dataclasses.dataclass)

    @decorate
    class Elsewhere:
        x: int = 0

    assert Elsewhere.__hash__ is None
    made = decorate(type("Inside", (), {"__module__": compat._MODULE, "__annotations__": {}}))
    assert made.__hash__ is object.__hash__


def test_importing_the_package_imports_no_lava():
    code = "import sys, neuroglia_snn, neuroglia_snn.backends.lava, neuroglia_snn.cli;"
    code += "print(any(m == 'lava' or m.startswith('lava.') for m in sys.modules))"
    assert python(code) == "False"


@needs_lava
def test_lava_is_imported_after_others_have_begun_processes():
    """A progress bar's lock decides on the start method, which Lava then sets again."""
    begun = "import multiprocessing; multiprocessing.RLock(); "
    assert python(begun + "from neuroglia_snn.backends.lava import FHN; print('fine')") == "fine"
