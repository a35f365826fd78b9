"""The built distributions, away from their source and among a stranger's files."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import neuroglia_snn
from neuroglia_snn.catalog import files
from neuroglia_snn.errors import CatalogError

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("models", "hardware")


def stems(kind: str) -> list[str]:
    """Names of the checkout's catalogue files."""
    return sorted(path.stem for path in (ROOT / kind).glob("*.toml"))


def catalogue_in(folder: Path) -> dict[str, dict[str, str]]:
    """Kind -> name -> file, as if the checkout's catalogue lay in another folder."""
    return {kind: {n: str(folder / kind / f"{n}.toml") for n in stems(kind)} for kind in KINDS}


def succeed(*command: str | Path, cwd: Path) -> str:
    """Output of a command that sees neither this checkout nor the caller's Python settings."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the package installed and the dependencies borrowed."""

    python: Path

    def found(self, cwd: Path) -> dict[str, dict[str, str]]:
        """Kind -> name -> file of all that the package finds from a working directory."""
        imports = "import json; from neuroglia_snn.catalog import files"
        found = f"{{k: {{n: str(files.find(k, n)) for n in files.names(k)}} for k in {KINDS}}}"
        code = f"{imports}; print(json.dumps({found}))"
        return json.loads(succeed(self.python, "-c", code, cwd=cwd))


def install(folder: Path, *what: str | Path) -> Environment:
    """Make an environment and install into it, without a network.

    The dependencies are those of the running environment: its site-packages are appended to the
    new one's path. A path file inside an appended folder is not read, so an editable install of
    this checkout over there is not seen; setuptools' own is copied, for Brian2 needs the distutils
    that it provides.
    """
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    lent = site.getsitepackages()
    hooks = [hook for lender in lent for hook in Path(lender).glob("distutils-precedence.pth")]
    lines = [*lent, *(hook.read_text() for hook in hooks[:1])]
    (packages / "zz_lent.pth").write_text("\n".join(lines) + "\n")  # zz: read last
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps")
    # The package may be in a lent folder too: install it here all the same.
    succeed(*pip, "--no-index", "--no-build-isolation", "--ignore-installed", *what, cwd=folder)
    return Environment(python)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def from_wheel(built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel in it."""
    return install(tmp_path_factory.mktemp("from_wheel"), built[1])


@pytest.fixture(scope="session")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with an editable install of this checkout."""
    return install(tmp_path_factory.mktemp("editable"), "--editable", ROOT)


def scatter_decoys(folder: Path) -> Path:
    """Put a stranger's project with folders of the catalogue's names into a folder."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        (folder / kind / "decoy.toml").write_text("not = 'ours'\n")
    (folder / "pyproject.toml").write_text("[project]\nname = 'stranger'\nversion = '1'\n")
    return folder


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A stranger's project, to work in."""
    return scatter_decoys(tmp_path / "stranger")


def test_the_checkout_has_models():
    assert stems("models")


def test_sdist_has_all_that_is_needed_to_build_and_test(built):
    with tarfile.open(built[0]) as archive:
        inside = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    wanted = {
        "LICENSE",
        "README.md",
        "hatch_build.py",
        "CHANGELOG.md",
        "Makefile",
        "pyproject.toml",
        ".ci/run",
    }
    for pattern in ("models/*.toml", "hardware/*.toml", "neuroglia_snn/**/*.py", "tests/**/*.py"):
        wanted |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    assert wanted <= inside, sorted(wanted - inside)


def test_wheel_has_the_package_and_nothing_beside_it(built):
    with zipfile.ZipFile(built[1]) as archive:
        inside = set(archive.namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("neuroglia_snn/**/*.py")}
    for kind in KINDS:
        wanted |= {f"neuroglia_snn/_catalog/{kind}/{stem}.toml" for stem in stems(kind)}
    assert wanted <= inside, sorted(wanted - inside)
    tops = {name.split("/", 1)[0] for name in inside}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"neuroglia_snn"}


def test_an_index_shows_the_readme_without_links_into_the_repository(built):
    """They would lead nowhere there; what they are called stays."""
    with zipfile.ZipFile(built[1]) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        shown = archive.read(name).decode().partition("\n\n")[2]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall("^#.*", shown, re.M) == re.findall("^#.*", readme, re.M)
    assert all(url.startswith("https:") for url in re.findall(r"\]\((.*?)\)", shown))
    assert "begin with the first run, in five minutes" in shown


def test_one_version_is_said_everywhere(built):
    """By the package, its distributions, the citation, and the newest part of the changelog with its day."""
    version = neuroglia_snn.__version__
    assert all(f"-{version}" in path.name for path in built)
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    day = re.search(r"^date-released: (\S+)$", citation, re.M)[1]
    assert f"\nversion: {version}\n" in citation
    newest = re.search(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)[1]
    assert newest == f"[{version}] - {day}"


def test_wheel_finds_its_own_catalogue(from_wheel, stranger):
    (package,) = from_wheel.python.parents[1].glob("lib/python*/site-packages/neuroglia_snn")
    assert from_wheel.found(cwd=stranger) == catalogue_in(package / "_catalog")


def test_every_import_is_of_a_declared_dependency():
    """The environments above borrow their dependencies, so that one not declared is not missed."""
    project = files.tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = set(project["dependencies"])
    for extra, requirements in project["optional-dependencies"].items():
        declared |= set() if extra == "test" else set(requirements)
    modules = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in declared}
    names = {"lava-nc": "lava", "pillow": "PIL", "scikit-learn": "sklearn"}
    modules |= {names.get(module, module.replace("-", "_")) for module in modules}
    known = modules | set(sys.stdlib_module_names) | {"neuroglia_snn", "tomllib"}
    for path in ROOT.glob("neuroglia_snn/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported = [node.module or ""]
            else:
                continue
            assert {name.split(".")[0] for name in imported} <= known, f"{path}:{node.lineno}"


def test_wheel_brings_the_command(from_wheel, stranger):
    command = from_wheel.python.with_name("neuroglia")
    assert os.access(command, os.X_OK)
    assert "usage" in succeed(command, "--help", cwd=stranger).lower()


def test_editable_install_finds_the_checkouts_catalogue(editable, stranger):
    assert editable.found(cwd=stranger) == catalogue_in(ROOT)


@pytest.mark.parametrize("beside", ["nothing", "stranger", "no TOML", "no table"])
def test_package_without_its_catalogue_names_both_places(tmp_path, stranger, monkeypatch, beside):
    parent = tmp_path / "site"
    package = parent / "neuroglia_snn"
    ignored = shutil.ignore_patterns("_catalog", "__pycache__")
    shutil.copytree(ROOT / "neuroglia_snn", package, ignore=ignored)
    if beside != "nothing":
        scatter_decoys(parent)
    if beside == "no TOML":
        (parent / "pyproject.toml").write_bytes(b"name = neuroglia_snn \xff")
    if beside == "no table":
        (parent / "pyproject.toml").write_text("project = 'neuroglia_snn'\n")
    monkeypatch.chdir(stranger)
    copied = runpy.run_path(str(package / "catalog" / "files.py"))  # it alone looks for files
    for kind in KINDS:
        with pytest.raises(CatalogError) as raised:
            copied["names"](kind)
        assert f"{package / '_catalog' / kind} " in str(raised.value)
        assert f"{parent / kind} " in str(raised.value)


def test_unknown_name_is_answered_with_the_nearest():
    name = stems("models")[0]
    with pytest.raises(CatalogError, match=f"no model is called .*did you mean .*'{name}'"):
        files.find("models", name[:-1] + "#")
    with pytest.raises(CatalogError, match=f"there are .*{name}"):
        files.find("models", "#")


@pytest.mark.parametrize("name", ["../models/{}", "./{}", "{}.toml", "", "."])
def test_a_path_is_not_a_name(name):
    with pytest.raises(CatalogError, match="no model is called"):
        files.find("models", name.format(stems("models")[0]))


def test_unknown_kind_is_a_programming_error():
    with pytest.raises(ValueError, match="models, hardware"):
        files.names("model")
