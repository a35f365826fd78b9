"""What `neuroglia check` says of files that are wrong: one clear line each, and no code is run."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroglia_snn import checks
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError, UserError

MEMORY = "noise_induced_memory"


def check_as_process(path: Path | str, folder: Path) -> tuple[int, str, str]:
    """``python -m neuroglia_snn check PATH`` in a process of its own: (status, stdout, stderr).

    The process is a fork of this one, which has the imports behind it: a fresh one takes seconds.
    """
    out, err = folder / "stdout", folder / "stderr"
    child = os.fork()
    if child == 0:
        status = 99
        try:
            for number, target in ((1, out), (2, err)):
                os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            sys.argv = ["neuroglia", "check", str(path)]
            runpy.run_module("neuroglia_snn", run_name="__main__")
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, out.read_text(), err.read_text()


def typed(kind: str) -> list[tuple[str, str]]:
    """Edits that give the small model's cells a variable ``c``."""
    return [("L : 1\n", f"L : 1\nc : {kind}\n")]


def stepped(kind: str, code: str) -> tuple[str, str]:
    """An edit for such a variable, and for code on a slower clock that sets it."""
    regularly = f'regularly = [{{ code = "{code}", dt = "1 ms" }}]'
    return ('L : 1\n"""\n', f'L : 1\nc : {kind}\n"""\n{regularly}\n')


#: What is wrong -> (edits of the small model, line, what the message says).
BAD: dict[str, tuple[list[tuple[str, str]], int, list[str]]] = {
    "unknown key": ([("threshold", "treshold")], 21, ["'treshold'", "did you mean 'threshold'"]),
    "unknown symbol": ([("(a - v)", "(aa - v)")], 16, ["'aa'", "dv/dt", "did you mean 'a'"]),
    "unknown symbol in a condition": ([("> v_th", "> v_thr")], 21, ["'v_thr'", "'v_th'", "threshold"]),
    "units": ([("(a - v)/tau", "(a - v - tau)/tau")], 16, ["'a - v' is in '1'", "'tau' is in 'second'"]),
    "units of the whole": (
        [("a = b + 1 : 1", "a = b*mV : 1")], 17, ["in a", "'volt' found", "'1' expected"]),
    "missing parameter": (
        [('sigma2 = { value = "0.1", min = "0" }\n', "")], 15, ["'sigma2'", "[parameters]"]),
    "undeclared noise": (
        [('noise = "stratonovich"\n', "")], 15, ["xi", "noise = 'stratonovich' or noise = 'ito'"]),
    "unknown noise": ([('"stratonovich"', '"strato"')], 3, ["'stratonovich' or 'ito'", "'strato'"]),
    "negative variance by min": ([('"0.1", min', '"-0.1", min')], 10, ["'sigma2'", "below its minimum 0"]),
    "negative variance by its root": (
        [('"0.1", min = "0"', '"-0.1"')], 16, ["dv/dt", "root of a negative number", "sigma2 = -0.1"]),
    "extends in a circle": ([("title", 'extends = "./m.toml"\ntitle')], 2, ["'extends'", "circle"]),
    "extends nothing": ([("title", 'extends = "foo.toml"\ntitle')], 2, ["'extends'", "foo.toml"]),
    "extends no model": ([("title", 'extends = "noise_induced"\ntitle')], 2, ["'noise_induced_memory'"]),
    "invalid TOML": ([('"10 ms"', '"10 ms')], 6, ["not valid TOML"]),
    "deep list": ([("[4, 4]", "[" * 50 + "]" * 50)], 14, ["'population'", "nested too deeply"]),
    "deep expression": ([("(a - v)", "+".join("a" * 300))], 16, ["dv/dt", "nested too deeply"]),
    "brackets without end": ([("(a - v)", "(" * 300)], 16, ["dv/dt", "not an expression"]),
    "text for a list": ([("shape = [4, 4]", 'shape = "4x4"')], 14, ["'shape' must be a list", "'4x4'"]),
    "number for text": ([('"Small"', "3")], 2, ["'title' must be text", "3"]),
    "list for a number": ([('v_th = "1"', "v_th = [1]")], 11, ["[1]", "number with units"]),
    "truth for a number": ([("shape = [4, 4]", "size = true")], 14, ["'size'", "whole number"]),
    "number for a table": ([('v = "0.5"', "[stimulus]\nx = 3")], 26, ["'x' must be a table", "3"]),
    "a time without unit": ([('dt = "0.1 ms"', "dt = 0.1")], 5, ["'dt'", "no unit", "'second'"]),
    "not a number": ([('v_th = "1"', "v_th = nan")], 11, ["'nan'", "no finite value"]),
    "size and shape": ([("shape = [4, 4]", "shape = [4, 4]\nsize = 16")], 13, ["'cell'", "has both"]),
    "no size": ([("shape = [4, 4]\n", "")], 13, ["'cell'", "shape = [rows, columns] or size"]),
    "missing key": ([('duration = "10 ms"\n', "")], 1, ["'duration' is missing in [model]"]),
    "unknown integrator": ([('"heun"', '"hun"')], 4, ["'hun'", "did you mean 'heun'", "rk4"]),
    "no integrator": ([('integrator = "heun"\n', "")], 12, ["no integrator", "'cell'", "heun"]),
    "integrator against noise": ([('"heun"', '"euler-maruyama"')], 4, ["stratonovich", "use heun"]),
    "integrator without noise": ([('"heun"', '"rk4"')], 4, ["'rk4'", "use heun"]),
    "noise in a function": ([("*v*xi", "*v*sin(xi*sqrt(ms))/sqrt(ms)")], 16, ["dv/dt", "told from the rest"]),
    "noise to a power": ([("*v*xi", "*v*xi**2")], 16, ["dv/dt", "inconsistent units"]),
    "reset without threshold": ([('threshold = "v > v_th"\n', "")], 21, ["'reset' without 'threshold'"]),
    "refractory without threshold": (
        [('threshold = "v > v_th"\nreset = "v = 0"', 'refractory = "5 ms"')], 21,
        ["'refractory' without 'threshold'"]),
    "refractory in volt": ([("reset", 'refractory = "5 mV"\nreset')], 22, ["'volt'", "'5 ms'"]),
    "refractory a number": ([("reset", 'refractory = "5"\nreset')], 22, ["'1'", "'5 ms'"]),
    "assignment to nothing": ([("v = 0", "w += 1")], 22, ["'w'", "not a variable (known: L, b, v)"]),
    "assignment to a parameter": ([("v = 0", "tau = 1*ms")], 22, ["'tau'", "not a variable"]),
    "assignment to a function": ([("v = 0", "exp = 1")], 22, ["'exp'", "not a variable"]),
    "no assignment": ([("v = 0", "v == 0")], 22, ["'v == 0'", "'x = y + 1'"]),
    "summed without a target": ([("L_post", "M_post")], 39, ["'M_post'", "add 'M : unit' there"]),
    "summed into the source": (
        [("L_post", "L_pre")], 39, ["'L_pre' is summed", "as 'L_post'", "turn 'from' and 'to' round"]),
    "summed into neither side": ([("L_post = ", "L = ")], 39, ["'L' is summed", "as 'L_post'"]),
    "sum of what is known at events": (
        [('equations = "L_post = ', "on_pre = 's += 1'\nequations = '''\nds/dt = -s/tau : 1 (event-driven)\n"
          "q = 2*s : 1\nL_post = q*"), ('(summed)"\n\n[projection.watch', "(summed)'''\n\n[projection.watch")],
        43, ["'L_post' is worked out in every step and reads 's'", "make 's' clock-driven"]),
    "known at events from every step": (
        [('equations = "L_post = ', "on_pre = 's += 1'\nequations = '''\nds/dt = -r/tau : 1 (event-driven)\n"
          "dr/dt = -r/tau : 1 (clock-driven)\nL_post = "), ('(summed)"\n\n[projection.watch', "(summed)'''\n\n[projection.watch")],
        41, ["'s' is event-driven", "reads 'r'", "make 's' clock-driven"]),
    "footprint that does not fit": ([("[1, 1]", "[2, 1]")], 44, ["need 7 rows", "has 4"]),
    "record of nothing": ([('["v"]', '["vv"]')], 56, ["'trace'", "'vv'", "did you mean 'v'"]),
    "circular definition": ([("a = b + 1 : 1", "a = z + 1 : 1\nz = a : 1")], 18, ["'z' and 'a' define"]),
    "defined by itself": ([("a = b + 1", "a = a + 1")], 17, ["'a' is defined by itself", "da/dt"]),
    "variable and parameter": ([("b : 1", "b : 1\ntau : second")], 19, ["'tau'", "a parameter"]),
    "variable named as a stage": ([("b : 1", "b : 1\nv_new : 1")], 19, ["'v_new'", "'heun'", "rename"]),
    "parameter named as a stage": (
        [("v_th = ", 'v_predicted = "1"\nv_th = ')], 11, ["'v_predicted'", "'heun'", "rename"]),
    "table named as a stage": (
        [("[population.cell]", '[table.v_new]\nvalues = ["1"]\ndt = "1 ms"\n[population.cell]')], 13,
        ["'v_new'", "'heun'", "rename"]),
    "variable named as a unit": ([("b : 1", "b : 1\nms : 1")], 19, ["'ms'", "a unit"]),
    "variable named as C++": ([("b : 1", "b : 1\ndouble : 1")], 19, ["'double'", "programming language"]),
    "equation without unit": ([("b : 1\n", "b\n")], 18, ["'b' has no unit", "': 1'"]),
    "equation defined twice": ([("b : 1\n", "b : 1\nb : 1\n")], 18, ["'b' is defined twice"]),
    "unknown unit": ([("b : 1\n", "b : foo\n")], 18, ["unit of 'b'", "'foo' is not a unit"]),
    "unknown flag": ([("b : 1\n", "b : 1 (constan)\n")], 18, ["'b'", "'constan'", "constant"]),
    "wrong number of arguments": ([("(a - v)", "clip(a)")], 16, ["'clip'", "needs 3"]),
    "comparison as a number": ([("(a - v)", "(a > v)")], 16, ["write int(a > v)"]),
    "huge power": ([("(a - v)", "9**9**9**9")], 16, ["too large"]),
    "threshold no condition": ([("v > v_th", "v")], 21, ["'v' is not a condition"]),
    "negative delay": (
        [("n_post =", "q = 1 : 1\nn_post ="), ('equations = "q', 'on_pre = "n_post += 1"\ndelay = "-2 ms"\n'
          "equations = '''q"), ('(summed)"\n\n[stim', "(summed)'''\n\n[stim")], 46, ["delay", "negative"]),
    "delay of nothing": (
        [('equations = "n', 'delay = "2 ms"\nequations = "n')], 45, ["'watch'", "no on_pre"]),
    "unknown rule": ([('"lattice"', '"latice"')], 38, ["'near'", "did you mean 'lattice'"]),
    "unknown key of a rule": ([("neighbours", "neighbors")], 38, ["'neighbors'", "'neighbours'"]),
    "unknown population": ([('to = "glia"', 'to = "gila"')], 43, ["'gila'", "did you mean 'glia'"]),
    "stimulus into an equation": ([('"b"', '"v"')], 49, ["'v'", "declare an input", "'cell'"]),
    "amplitude in volt": ([('"2"', '"2 mV"')], 50, ["'volt' found, '1' expected"]),
    "initial value of nothing": ([('v = "0.5"', 'vv = "0.5"')], 25, ["'vv'", "did you mean 'v'"]),
    "initial value in volt": ([('v = "0.5"', 'v = "0.5 mV"')], 25, ["'volt' found, '1' expected"]),
    "name with a blank": ([("[population.glia]", '[population."gl ia"]')], 27, ["'gl ia' is no name"]),
    "parameter named as a unit": ([("v_th = ", 'nS = "1"\nv_th = ')], 11, ["'nS' is a unit"]),
    "remove of nothing": ([("title", 'remove = ["a.b"]\ntitle')], 2, ["'remove' names 'a.b'"]),
    "boolean counted": ([*typed("boolean"), ("v = 0", "c += 1")], 23, ["'c' is a boolean", "condition"]),
    "boolean set to a number": ([*typed("boolean"), ("v = 0", "c = 1")], 23, ["'1' is not a condition"]),
    "boolean begins as a number": (
        [*typed("boolean"), ('v = "0.5"', 'c = "0.5"')], 26, ["'c : boolean' takes conditions", "'0.5'"]),
    "integer in halves": ([*typed("integer"), ("v = 0", "c += 0.5")], 23, ["c +=", "write int(0.5)"]),
    "integer divided": ([*typed("integer"), ("v = 0", "c /= 2")], 23, ["write int(c/2)"]),
    "integer begins with a half": (
        [*typed("integer"), ('v = "0.5"', 'c = "0.5"')], 26, ["'c : integer' takes whole", "'0.5'"]),
    "integer in regularly": (
        [stepped("integer", "c += 0.5")], 22, ["regularly ('c +=')", "write int(0.5)"]),
    "integer in on_pre": (
        [*typed("integer"), ('equations = "L', 'on_pre = "c_post += 0.5"\nequations = "L')], 40,
        ["on_pre ('c_post +=')", "write int(0.5)"]),
    "integer in an action": (
        [*typed("integer"), ("[population.cell.i",
          '[population.cell.events]\ne = { condition = "v > 2", action = "c += 0.5" }\n[population.cell.i')],
        26, ["event e ('c +=')", "write int(0.5)"]),
    "integer defined by fractions": (
        [("a = b + 1 : 1", "a = i : integer\nk = i/2 : integer")], 18, ["k: ", "write int(i/2)"]),
    "integer with a rate": ([("*v*xi : 1", "*v*xi : integer")], 16, ["dv/dt", "no integer"]),
    "condition as a number": ([("a = b + 1", "a = (b > 0)")], 17, ["a: 'b > 0'", "write int(b > 0)"]),
    "condition in a sum": ([("a = b + 1", "a = 1 + (b > 0)")], 17, ["'b > 0'", "write int(b > 0)"]),
    "condition in a function": ([("a = b + 1", "a = exp(b > 0)")], 17, ["write int(b > 0)"]),
    "condition with a sign": ([("a = b + 1", "a = -(b > 0)")], 17, ["write int(b > 0)"]),
    "condition compared": ([("v > v_th", "(v > 0) > v_th")], 21, ["write int(v > 0)"]),
    "number as a condition": ([("v > v_th", "int(v > v_th)")], 21, ["'int(v > v_th)' is not a condition"]),
    "sum of truth values": (
        [("L : 1\n", "L : 1\nf : boolean\ng : boolean\n"), ("a = b + 1", "a = f + g")], 17,
        ["'f + g' works out truth values", "write int(f) + int(g)"]),
    "product as a condition": (
        [("L : 1\n", "L : 1\nf : boolean\n"), ("v > v_th", "f*f")], 22, ["'f*f'", "'and'"]),
    "integer to a negative power": (
        [("a = b + 1", "a = 2**-i")], 17, ["'2**(-i)' divides integers", "write (1.0*2)**(-i)"]),
    "local number set again": ([("v = 0", "k = 1; k /= 2; v = k")], 22, ["'k'", "another name"]),
    "shared definition of a single unit's": (
        [("L : 1\n", "L : 1\nq = 2*v : 1 (shared)\n")], 20, ["q: 'q' is shared by all units but 'v' is not"]),
    "update of nothing": (
        [('equations = "L', 'on_pre = "v_post += lastupdate/ms"\nequations = "L')], 39, ["'lastupdate'"]),
    "two comparisons at once": (
        [("a = b + 1", "a = int(0 < b <= 1)")], 17, ["'0 < b <= 1' compares twice", "0 < b and b <= 1"]),
    "name of one side": ([("b : 1", "b : 1\nU_post : 1")], 19, ["'U_post'", "'cell'", "two sides"]),
    "not summed": ([("(summed)", "")], 39, ["'L_post'", "add the flag '(summed)'"]),
    "recorded twice": ([('["v"]', '["v", "v"]')], 56, ["'trace' names 'v' twice"]),
    "division by 0": ([("a = b + 1", "a = b/0")], 17, ["a: 'b/0' divides by 0"]),
    "rest of 0": ([("a = b + 1", "a = b % (1 - 1)")], 17, ["'b%(1 - 1)' divides by 0"]),
    "division by a number of units": (
        [("a = b + 1", "a = b/(N - 16)")], 17, ["a: 'b/(N - 16)' divides by 0 (N = 16)"]),
    "power of 0": ([("a = b + 1", "a = b*0**-1")], 17, ["'0**(-1)' has no finite real value"]),
    "root of a negative constant": ([("a = b + 1", "a = (-8)**(1/3)")], 17, ["no finite real value"]),
    "random definition": ([("a = b + 1", "a = rand()")], 17, ["a: 'rand()'", "(constant over dt)"]),
    "shared in a reset": ([*typed("1 (shared)"), ("v = 0", "c += 1")], 23, ["'c'", "shared", "'regularly'"]),
    "shared after single units": (
        [stepped("1 (shared)", "v = 0; c = 1")], 22, ["'c'", "shared", "before"]),
    "shared from single units": (
        [stepped("1 (shared)", "c = v")], 22, ["'c' is shared by all units but 'v' is not"]),
    "shared begins by single units": (
        [*typed("1 (shared)"), ('v = "0.5"', 'c = "2*i"')], 26, ["'c' is shared by all units but 'i' is not"]),
    "step longer than the run": ([('dt = "0.1 ms"', 'dt = "20 ms"')], 5, ["dt = 20 ms", "run (10 ms)"]),
    "population's step longer than the run": (
        [('integrator = "euler"', 'integrator = "euler"\ndt = "20 ms"')], 34, ["dt = 20 ms", "run (10 ms)"]),
    "probability above 1": (
        [('rule = "lattice", neighbours = 4', 'rule = "condition", p = 1.5')], 38,
        ["connect p is a probability from 0 to 1, not 1.5"]),
    "probability below 0": (
        [('rule = "lattice", neighbours = 4', 'rule = "condition", p = "-0.5"')], 38, ["not -0.5"]),
    "key with a line's end": ([("threshold", r'"a\nb\u001b[1m"')], 13, ["unknown key 'a b"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gives_one_clear_line(case, write, tmp_path):
    edits, line, said = BAD[case]
    path = write(*edits)
    findings = checks.check_file(str(path))
    assert len(findings) == 1, findings
    text = str(findings[0])
    assert text.startswith(f"{path}:{line}: error: "), text
    for piece in said:
        assert piece in text
    assert text.isprintable() and len(text) < 700
    status, stdout, stderr = check_as_process(path, tmp_path)
    assert (status, stdout) == (2, "")
    assert stderr == text + "\n"


def test_all_wrong_keys_are_named_at_once(write):
    path = write(("threshold", "treshold"), ('dt = "', 'tau = 1\ndt = "'))
    found = [str(finding) for finding in checks.check_file(str(path))]
    assert len(found) == 2 and "'tau'" in found[0] and "'treshold'" in found[1]
    with pytest.raises(ModelError, match=r"'tau'(.|\n)*'treshold'"):
        load(path)


def test_a_fresh_process_says_the_same(write):
    path = write(("threshold", "treshold"))
    done = subprocess.run(
        [sys.executable, "-m", "neuroglia_snn", "check", str(path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(checks.__file__).parents[2])})  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and f"{path}:21: error: unknown key" in done.stderr


def test_the_small_model_is_right(write, tmp_path):
    path = write()
    assert checks.check_file(str(path)) == []
    status, stdout, stderr = check_as_process(path, tmp_path)
    assert (status, stderr) == (0, "")
    assert stdout.startswith(f"{path}: ok\n  runs on fused, cpp, numpy")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", files.names("models"))
def test_every_shipped_model_is_right(name):
    assert checks.check_file(name) == []


@pytest.mark.parametrize(
    "edit",
    [
        ("reset", 'refractory = "5 ms"\nreset'),
        ("reset", 'refractory = "0.5*tau"\nreset'),
        ("reset", 'refractory = "v > 1"\nreset'),
        ("v = 0", "w = 2*v; v = w - w"),
        stepped("integer", "c += 1; c //= 2; c = int(v) + i; c = floor(v); c = 2*v; c %= v_th"),
        ("L : 1\n", "L : 1\nk = floor(i/2) : integer\n"),
        (
            "L : 1\n",
            "L : 1\nr = rand() : 1 (constant over dt)\nq = randn() : 1 (shared, constant over dt)\n",
        ),
        ("v = 0", "v = log(abs(0.1/randn()))"),
        ('rule = "lattice", neighbours = 4', 'rule = "condition", p = "i < 2"'),
        stepped("boolean", "c = v > 1 and not c"),
        stepped("1 (shared)", "c += 1; v = c"),
        ("L : 1\n", "L : 1\nr = rand() : 1 (constant over dt)\n"),
        ("a = b + 1", "a = int((v > 0) == (b > 0)) + b/(tau/ms)"),
        ('"2"', '"2*v_th"'),
        ("[model]", "\ufeff[model]"),
        ("\n", "\r\n"),
    ],
)
def test_what_is_right_in_another_way(edit, write):
    assert checks.check_file(str(write(edit))) == []


# ------------------------------------------------------------------ files as such


def one(path: Path | str) -> str:
    (finding,) = checks.check_file(str(path))
    assert finding.severity == "error" and str(finding).isprintable()
    return str(finding)


def test_unreadable_files(tmp_path):
    assert "cannot be read (No such file" in one(tmp_path / "none.toml")
    (tmp_path / "dir.toml").mkdir()
    assert "cannot be read (Is a directory)" in one(tmp_path / "dir.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert "loop.toml" in one(tmp_path / "loop.toml")
    assert "not the name of a file" in str(checks.check_file("a\0b.toml")[0])
    for name in ("none.toml", "dir.toml"):
        status, stdout, stderr = check_as_process(tmp_path / name, tmp_path)
        assert (status, stdout, stderr.count("\n")) == (2, "", 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(write):
    path = write()
    path.chmod(0)
    assert "cannot be read (Permission denied)" in one(path)


def test_junk(tmp_path):
    path = tmp_path / "junk.toml"
    path.write_bytes(bytes(range(256)) * 20)
    assert "not a text file" in one(path)
    path.write_bytes(b"\0" * 100)
    assert "not valid TOML" in one(path)
    path.write_text("x = " + "[" * 20000)
    assert "nested too deeply" in one(path)
    path.write_text("a" + ".a" * 5000 + " = 1")
    assert "nested too deeply" in one(path)
    assert "too large for a model file" in one("/dev/zero")


def test_an_unknown_catalogue_name(tmp_path):
    with pytest.raises(UserError, match="did you mean 'noise_induced_memory'"):
        checks.check_file("noise_induced_memry")
    status, stdout, stderr = check_as_process("noise_induced_memry", tmp_path)
    assert (status, stdout, stderr.count("\n")) == (2, "", 1)


def test_one_broken_equation_is_not_reported_for_each_projection(write):
    assert "population 'cell'" in one(write(("b : 1\n", "b : foo\n")))


def test_lines_in_a_file_that_extends(write):
    write(name="base.toml")
    text = '[model]\nextends = "base.toml"\n[population.cell]\nequations = "a = b + tua/ms : 1"\n'
    path = write(text=text)
    assert one(path).startswith(f"{path}:4: error: unknown symbol 'tua'")
    write(("(a - v)", "(a - u)"), name="base.toml")
    path = write(text=text.replace("tua/ms", "1"))
    assert one(path).startswith(f"{path.parent / 'base.toml'}:16: error: unknown symbol 'u'")


# ---------------------------------------------------------------------- unstable dt


def test_a_step_that_is_too_large_is_a_warning_with_the_safe_one(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(f'[model]\nextends = "{MEMORY}"\ndt = "0.004 ms"\n')
    (finding,) = checks.check_file(str(path))
    assert finding.severity == "warning" and finding.where == f"{path}:3"
    assert "'neuron'" in finding.message and "dt <= 0.0033 ms" in finding.message
    status, stdout, stderr = check_as_process(path, tmp_path)
    assert (status, stderr) == (0, f"{finding}\n") and stdout.startswith(f"{path}: ok, 1 to note\n")
    path.write_text(path.read_text().replace('"0.004 ms"', '"0.0033 ms"\nduration = "1650 ms"'))
    assert checks.check_file(str(path)) == []  # and the run is a whole number of steps


def test_an_experiment_that_outlasts_the_run(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(f'[model]\nextends = "{MEMORY}"\nduration = "20 ms"\n')
    assert "the run ends at 20 ms but the experiment measures until 1500 ms" in one(path)
    path.write_text(f'[model]\nextends = "{MEMORY}"\n[record.frames]\nevery = "7 ms"\n')
    assert "the experiment reads 'n_spikes' of 'neuron' at" in one(path)


def test_an_unused_parameter_is_a_warning(write):
    (finding,) = checks.check_file(str(write(("v_th = ", 'spare = "1"\nv_th = '))))
    assert finding.severity == "warning" and "'spare' is never used" in finding.message


def test_load_checked_raises_every_error(write):
    path = write(("(a - v)", "(aa - v)"), ("v = 0", "w += 1"))
    with pytest.raises(ModelError) as error:
        checks.load_checked(str(path))
    first, second = str(error.value).splitlines()
    assert first.startswith(f"{path}:16:") and second.startswith(f"{path}:22:")


# -------------------------------------------------------- a model file can run no code

FIELDS = {  # field -> the text of the small model that a payload replaces
    "differential equation": '(a - v)/tau', "subexpression": "b + 1", "unit": "b : 1", "initial": '"0.5"',
    "threshold": "v > v_th", "reset": '"v = 0"', "statement": "v = 0", "parameter": '"10 ms"',
    "minimum": 'min = "0 ms"', "summed": "v_pre - v_post", "amplitude": '"2"', "start": '"1 ms"',
    "integrator": '"heun"', "noise": '"stratonovich"', "variable": '"b"', "population": 'to = "glia"',
    "recorded": '["v"]', "every": "every = \"1 ms\"", "dt": 'dt = "0.1 ms"', "rule": '"lattice"',
    "title": "title", "refractory": "threshold", "condition": "neighbours = 4", "p": "neighbours = 4",
    "n": "neighbours = 4", "delay": 'connect = { rule = "f', "table": "[stimulus.pulse]",
    "remove": "title", "extends": "title", "on_pre": 'connect = { rule = "f', "edges": "neighbours = 4",
    "event": "[population.cell.initial]", "regularly": "threshold",
}  # fmt: skip
EXTRA = {  # fields that the small model does not have -> how a payload gets in
    "minimum": "min = {p}", "every": "every = {p}", "dt": "dt = {p}", "population": "to = {p}",
    "title": 'noise = {p} # title', "refractory": "refractory = {p}\nthreshold",
    "delay": 'on_pre = "n_post += 1"\ndelay = {p}\nconnect = {{ rule = "f',
    "on_pre": 'on_pre = {p}\nconnect = {{ rule = "f', "edges": "edges = {p}",
    "table": '[table.f]\nvalues = [{p}]\ndt = "1 ms"\n[stimulus.pulse]',
    "remove": "remove = [{p}]\ntitle", "extends": "extends = {p}\ntitle", "recorded": "[{p}]",
    "event": "[population.cell.events.e]\ncondition = {p}\naction = {p}\n[population.cell.initial]",
    "regularly": 'regularly = [{{ code = {p}, dt = "1 ms" }}]\nthreshold',
}  # fmt: skip
PAYLOADS = [
    "__import__('os').system('touch {mark}')", "().__class__.__bases__[0].__subclasses__()",
    "os.system('touch {mark}')", "(lambda: open('{mark}', 'w'))()", "f'{{open(\"{mark}\", \"w\")}}'",
    "eval(\"open('{mark}', 'w')\")", "1; system(\"touch {mark}\")", "0); system(\"touch {mark}\"); (0",
    "[open(x, 'w') for x in ['{mark}']]", "$(touch {mark})", "`touch {mark}`", "; touch {mark}",
]  # fmt: skip


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.parametrize("field", FIELDS)
def test_a_model_file_can_run_no_code(field, write, tmp_path):
    mark = tmp_path / "pwned"
    for payload in PAYLOADS:
        text = payload.format(mark=mark)
        old = FIELDS[field]
        if field in EXTRA:
            new = EXTRA[field].format(p=quoted(text))
        elif field in ("condition", "p", "n"):
            old = 'rule = "lattice", neighbours = 4'
            new = f'rule = "condition", {field} = {quoted(text)}'
        else:
            new = quoted(text) if old.startswith('"') else quoted(text)[1:-1]
            new = f"b : {new}" if field == "unit" else new
        if field in ("differential equation", "subexpression", "unit"):
            new = new.replace('\\"', '"') if '"""' not in new else new
        path = write((old, new))
        found = checks.check_file(str(path))
        assert any(f.severity == "error" for f in found), (field, payload)
        assert all(str(f).isprintable() for f in found)
        with pytest.raises(UserError):
            checks.load_checked(str(path))
        assert not mark.exists()


@pytest.mark.parametrize(
    "key", ["tau", "model.dt", "population.cell.equations", "population.cell.reset", "model.extends",
            "population.cell.shape", "projection.near.connect", "parameters.tau"],
)  # fmt: skip
@pytest.mark.parametrize("payload", [*PAYLOADS, "[" * 50000, "[__import__('os')]"])
def test_nor_can_a_setting(key, payload, write, tmp_path):
    mark = tmp_path / "pwned"
    with pytest.raises(UserError) as error:
        checks.load_checked(str(write()), {key: payload.format(mark=mark)})
    assert all(line.isprintable() for line in str(error.value).splitlines())
    assert not mark.exists()


# --------------------------------------------------------------------------- fuzz

SHIPPED = [files.find("models", name).read_text("utf-8") for name in files.names("models")]


@st.composite
def edited(draw) -> bytes:
    """A shipped model with lines deleted, doubled, swapped, cut or joined, or bytes changed."""
    lines = draw(st.sampled_from(SHIPPED)).encode().split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        a, b = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        line, at = lines[a], draw(st.integers(0, len(lines[a])))
        edit = draw(st.sampled_from(["delete", "double", "swap", "cut", "bytes", "text"]))
        if edit == "delete" and len(lines) > 1:
            del lines[a]
        elif edit == "double":
            lines.insert(a, line)
        elif edit == "swap":
            lines[a], lines[b] = lines[b], lines[a]
        elif edit == "cut":
            lines[a] = line[:at] + line[at + draw(st.integers(1, 5)) :]
        elif edit == "bytes":
            lines[a] = line[:at] + draw(st.binary(max_size=4)) + line[at:]
        else:
            lines[a] = (
                line[:at]
                + draw(st.text("()[]{}=:*/+-.,'\"x1 eV#;", max_size=4)).encode()
                + line[at:]
            )
    return b"\n".join(lines)


@pytest.mark.thorough
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(edited())
def test_no_edit_of_a_shipped_model_gives_a_traceback(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(data)
    try:
        findings = checks.check_file(str(path))
        load(str(path))
    except UserError as error:
        assert all(line.isprintable() for line in str(error).splitlines())
    else:
        assert all(str(f).isprintable() for f in findings)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weight_pre", "a variable of one of a projection's two sides"),
        ("V_predicted", "what 'heun' works out of 'V' within a step"),
    ],
)
def test_names_of_other_things_are_not_free(tmp_path, name, said):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'[model]\nextends = "{MEMORY}"\n[parameters]\n{name} = {{ value = "1" }}\n'
        f'[population.neuron]\nequations = "F = -U + b - 1 + {name} : 1"\n'
    )
    messages = [f.message for f in checks.check_file(str(path)) if f.severity == "error"]
    assert any(f"'{name}' is {said}" in m for m in messages), messages


# ------------------------------------------------------------ what a review found

PLAIN = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[population.a]
size = 2
equations = "dx/dt = (1 - x)/ms : 1"
threshold = "x > 0.5"
reset = "x = 0"
[projection.p]
from = "a"
to = "a"
connect = { rule = "all" }
on_pre = "x += 0.1"
[record.r]
population = "a"
variables = ["x"]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rule = "all"', 'rule = "pairs", pairs = [[0]]', "[0] is not a pair"),
        ('rule = "all"', 'rule = "condition", n = 1.5', "connect n is a whole number"),
        ('rule = "all"', 'rule = "condition", n = "-1"', "connect n is a whole number"),
        ('rule = "all"', 'rule = "condition", n = "exp()"', "connect n: "),
        ('on_pre = "x', 'delay = "inf*ms"\non_pre = "x', "negative or infinite"),
        ('"x += 0.1"', '{ k = "x += 0.1" }\non_post = { k = "x = 0" }', "of on_pre and of on_post"),
        ('"x = 0"', '"x = 0"\nrefractory = "inf*second"', "refractory is a time from 0 on"),
        ('"x = 0"', '"x = 0"\nrefractory = "-1 ms"', "refractory is a time from 0 on"),
        ('["x"]', '["x"]\nstride = 4000000', "'stride' must be from 1 to"),
        ('"1 ms"', '"1e300 s"', "is a time from"),
        ("dx/dt", "dneuroglia_x/dt", "a name that generated programs use"),
        ('rule = "all"', 'rule = "condition", p = "rand()"', "connect p draws no random numbers"),
        ('rule = "all"', 'rule = "condition", p = "3*0.5"', "connect p is a probability"),
        ('rule = "all"', 'rule = "condition", p = "i + j"', "connect p is a probability"),
        ('rule = "all"', 'rule = "condition", n = "i - 1"', "connect n is a whole number"),
        ('rule = "all"', 'rule = "condition", n = "N_incoming"', "connect n names 'N_incoming'"),
        ('rule = "all"', 'rule = "condition", condition = "w > 0" }\nequations = "w : 1"\ninitial = { w = "1"',
         "connect condition names 'w'"),
        ('on_pre = "x', 'delay = "1e9*second"\non_pre = "x', "1e+13 steps of 'a'"),
        ('"x = 0"', '"x = 0"\nrefractory = "rand()*ms"', "would be drawn anew in every step"),
        ('"1 ms"', '"1e6 s"', "1e+10 steps of 0.1 ms to 1e+06 s are more than a run can have"),
        ('"1 ms"\n[population.a]', '"1 s"\n[population.a]\nregularly = [{ code = "x = 0", dt = "1e-12 s" }]', "executions each"),
        ('"1 ms"\n[population.a]\nsize = 2', '"2e5 s"\n[population.a]\nsize = 20', "record 'r' would keep 4e+10 numbers"),
        ("size = 2", 'size = 2\nregularly = [{ code = "x = 0", dt = "1e-300 s" }]', "is a time from"),
        ('["x"]', '["x"]\nevery = "1e-15 s"', "is a time from"),
        ('connect = {', 'dt = "2 ms"\nconnect = {', "dt = 2 ms is longer than the run"),
        ("[record.r]", f'[stimulus.s]\nto = "a"\nvariable = "x"\namplitude = "1"\nduration = "1 ms"\ncount = {10**20}\n'
         "[record.r]", "'count' is a number up to 2147483647"),
        ("[record.r]", '[population.a_b]\nsize = 1\nequations = "b_x : 1"\n[population.a_b_b]\nsize = 1\n'
         'equations = "x : 1"\n[record.r]', "would both be 'final_a_b_b_x' in the results"),
    ],
)  # fmt: skip
def test_what_would_fail_later_is_one_sentence(old, new, said, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(PLAIN.replace(old, new, 1))
    found = [str(f) for f in checks.check_file(str(path)) if f.severity == "error"]
    assert any(said in line for line in found), found


def test_a_number_may_be_as_large_as_it_likes(tmp_path):
    path = tmp_path / "m.toml"
    large = PLAIN.replace("(1 - x)", "(1 - x*large/big)").replace('"x = 0"', '"x = 0*large*big"')
    path.write_text(f"{large}\n[parameters]\nlarge = 5000000000\nbig = {{ value = {10**30} }}\n")
    assert not [f for f in checks.check_file(str(path)) if f.severity == "error"]


@pytest.mark.parametrize(
    "text",
    ["x > xi*ms**0.5", "x = xi*ms**0.5", "i != j and xi*ms**0.5 < 0", "x_post += xi*ms**0.5"],
)
def test_noise_has_a_value_in_rates_alone(text, tmp_path):
    path = tmp_path / "m.toml"
    noisy = PLAIN.replace("(1 - x)/ms", "(1 - x)/ms + xi/ms**0.5").replace('"euler"', '"heun"')
    noisy = noisy.replace("[model]", '[model]\nnoise = "stratonovich"')
    noisy = noisy.replace(
        'rule = "all" }',
        'rule = "condition", condition = "i != j" }\nequations = "dw/dt = xi/second**0.5 : 1"',
    )
    path.write_text(noisy)
    assert not [f for f in checks.check_file(str(path)) if f.severity == "error"]
    old = {">": "x > 0.5", "x =": "x = 0", "i ": "i != j", "x_": "x += 0.1"}
    known = next(known for key, known in old.items() if key in text)
    path.write_text(noisy.replace(f'"{known}"', f'"{text}"'))
    found = [str(f) for f in checks.check_file(str(path)) if f.severity == "error"]
    assert any("noise has a value in rates alone" in line for line in found), found


def test_a_table_at_a_constant_time_is_no_traceback(tmp_path):
    path = tmp_path / "m.toml"
    table = '[table.q]\nvalues = [1, 2, 5]\ndt = "0.3 ms"\n'
    path.write_text(PLAIN.replace("(1 - x)", "(q(0.4*ms) - x)") + table)
    status, stdout, _ = check_as_process(path, tmp_path)
    assert status == 0 and "  runs on " in stdout
