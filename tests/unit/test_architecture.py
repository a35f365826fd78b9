"""The structure that docs/explanation/architecture.md draws: imports point one way, the public list is the namespace."""

from __future__ import annotations

import ast
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

import neuroglia_snn

PACKAGE = Path(neuroglia_snn.__file__).parent
#: From the bottom up; a module imports only from groups before its own, or from its own.
LAYERS = [
    {"hook"},
    {"errors", "lanes", "language.names"},
    {"progress", "language.quantities", "toolchain"},
    {"guard"},
    {"language.algebra", "language.expressions", "noise", "spec"},
    {"catalog.files", "catalog.schema", "catalog.toml"},
    {"images"},
    {"experiments.base", "experiments.names"},
    {"experiments.registry"},
    {"experiments"},
    {"language.equations", "options"},
    {
        "language.arithmetic",
        "language.couplings",
        "language.geometry",
        "language.integrators",
        "language.labels",
        "language.stages",
    },
    {"language.scopes"},
    {"catalog.source"},
    {"catalog.data"},
    {"catalog.fields"},
    {"catalog.parameters"},
    {"catalog.connections", "catalog.phases"},
    {"catalog.hardware", "catalog.network", "catalog.ranges", "catalog.sections"},
    {"catalog.inputs", "language.pathways"},
    {"catalog.load"},
    {"catalog.show", "language.stability"},
    {"checks.findings"},
    {"checks.data", "checks.pairs", "checks.poisson", "checks.stimuli"},
    {
        "checks.connections",
        "checks.equations",
        "checks.names",
        "checks.numerics",
        "checks.references",
    },
    {"checks.pathways", "checks.schemes"},
    {"checks.populations", "checks.projections"},
    {"checks.phases"},
    {"checks"},
    {"backends.base"},
    {"backends.brian"},
    {"backends.toolkit"},
    {"program"},
    {"fixedpoint"},
    {"emit"},
    {"lava"},
    {"brian"},
    {"backends.cuda", "backends.fused", "backends.fused_cuda", "backends.lava", "backends.torch"},
    {"backends"},
    {"datasets", "measures"},
    {"checkpoint"},
    {"results"},
    {"experiments.work"},
    {"experiments.carry_out"},
    {"model"},
    {"mapping", "reports"},
    {"runs"},
    {"build", "diagnostics", "exchange"},
    {"sweeps.grid", "sweeps.store", "sweeps.figures", "sweeps.worker"},
    {"sweeps.carry_out"},
    {"sweeps"},
    {"api"},
    {"cli"},
    {"papers"},  # nothing imports one: they are found by entry points
]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def layer_of(module: str) -> int:
    """Number of the layer that names the module, or the package that it is in."""
    while module:
        for number, names in enumerate(LAYERS):
            if module in names:
                return number
        module = module.rpartition(".")[0]
    raise AssertionError("a module without a layer")


#: A model's methods `run`, `sweep` and `map` are the public functions.
UPWARD = {("model", "api")}


def without_types(tree: ast.Module) -> ast.Module:
    """A module without what it imports for annotations alone."""

    class Runtime(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            typed = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if typed else self.generic_visit(node)

    return Runtime().visit(tree)


def imports(path: Path, at_top: bool = False) -> set[str]:
    """Modules of this package that a file imports (``at_top``: any module, on import only)."""
    tree = without_types(ast.parse(path.read_text(encoding="utf-8")))
    nodes = tree.body if at_top else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {
                f"{base}.{a.name}"
                if (PACKAGE.parent / base.replace(".", "/") / f"{a.name}.py").exists()
                or (PACKAGE.parent / base.replace(".", "/") / a.name).is_dir()
                else base
                for a in node.names
            }
    return found


def test_imports_point_one_way():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        module = module_name(path)
        if module in ("", "__main__", "catalog", "experiments"):
            continue
        for imported in imports(path):
            other = imported.removeprefix("neuroglia_snn").lstrip(".")
            upward = (module, other) in UPWARD
            if not imported.startswith("neuroglia_snn.") or upward:
                continue
            if layer_of(other) > layer_of(module):
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_no_modules_import_each_other():
    """On import; the package itself imports two modules, and everything comes after those."""
    modules = {f"neuroglia_snn.{module_name(p)}": p for p in PACKAGE.rglob("*.py")}
    needed = {
        name: {m for m in imports(path, at_top=True) if m in modules} - {name}
        for name, path in modules.items()
    }
    with contextlib.suppress(StopIteration):  # whatever is left needs each other
        while needed:
            free = next(name for name, others in needed.items() if not others & needed.keys())
            del needed[free]
    assert sorted(needed) == []


def test_only_the_named_modules_import_brian2s_equations():
    """Built in one place (`equations`, and the network builder that adds to them), read in `stages`."""
    users = {
        module_name(p) for p in PACKAGE.rglob("*.py") if "brian2.equations.equations" in imports(p)
    }
    assert users == {"language.equations", "language.stages", "backends.brian.network"}


def test_the_public_list_is_the_namespace():
    public = {
        n
        for n, v in vars(neuroglia_snn).items()
        if not n.startswith("_")
        and n not in ("annotations", "TYPE_CHECKING")
        and not str(getattr(v, "__spec__", "")).startswith("ModuleSpec")
    }
    lazy = set(neuroglia_snn._LAZY)
    assert not public & lazy
    assert public | lazy == set(neuroglia_snn.__all__)


def test_everything_public_has_a_docstring():
    for name in neuroglia_snn.__all__:
        assert getattr(neuroglia_snn, name).__doc__, name


def test_lazy_names_are_public_and_documented():
    pytest.importorskip("torch")
    for name in neuroglia_snn._LAZY:
        assert getattr(neuroglia_snn, name).__doc__, name
        assert name in dir(neuroglia_snn)


def test_importing_the_package_and_its_command_line_imports_no_heavy_library():
    heavy = {"brian2", "matplotlib", "torch", "sklearn", "snntorch", "scipy", "sympy", "xarray"}
    code = (
        "import sys, neuroglia_snn, neuroglia_snn.cli;"
        "[neuroglia_snn.cli._parser([word]) for word in ('run', 'sweep', 'reproduce')];"
        f"print(*sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_brian2_script_imports_what_its_runs_need_alone():
    code = (
        "import sys, brian2; before = set(sys.modules); import neuroglia_snn.brian;"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}));"
        "print(*(m for m in sys.modules if m.startswith('neuroglia_snn.backends')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages, backends = done.stdout.split("\n")[:2]
    assert "neuroglia_snn" in packages
    assert not {"pandas", "xarray", "scipy"} & set(packages.split())
    assert backends == ""


@pytest.mark.parametrize(
    "ask", ["neuroglia_snn.papers.anan.AstrocyteModulated", "main(['reproduce', 'anan'])"]
)
def test_without_torch_one_sentence_says_what_to_type(ask, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import neuroglia_snn.papers.anan; from neuroglia_snn.cli import main\n"
        f"try:\n    sys.exit({ask})\nexcept neuroglia_snn.UserError as error:\n    sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert "pip install 'neuroglia_snn[torch]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
