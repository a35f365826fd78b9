"""Settings, hardware files, sweep axes, names of files and folders, and pages: shown, and never run."""

from __future__ import annotations

import json
import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from fuzz import contract, injections, whole
from neuroglia_snn import sweeps
from neuroglia_snn.catalog import files, hardware
from neuroglia_snn.errors import UserError
from neuroglia_snn.reports import report

LOWERED = whole.models()["lowered"]


def strings(mark) -> list[str]:
    """All of them, with a marker file that must never be there."""
    texts = (*injections.CODE, *injections.AFTER, *injections.ODD)
    return [text.replace("{mark}", str(mark)) for text in texts]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the model ``model.toml``, where commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.toml").write_text(whole.dumps(LOWERED))
    return tmp_path


@pytest.mark.parametrize(
    "key", ["tau", "parameters.tau", "model.dt", "model.title", "population.sheet.equations",
            "population.sheet.shape", "population.sheet.initial.x", "projection.near.connect",
            "stimulus.spot.amplitude", "stimulus.spot.image", "record.trace.variables", "extends", ""],
)  # fmt: skip
def test_no_setting_runs_code(key, place):
    with contract.untouched(place):
        for text in strings(place / "mark")[::3]:
            contract.load(place / "model.toml", {key: text})
            contract.load(place / "model.toml", {f"{key}{text}": "1"})


def test_settings_of_the_command_line_cost_a_sentence(place):
    with contract.untouched(place):
        for text in (*injections.BREAKS, *injections.ODD[:-4]):
            for setting in (f"tau={text}", f"{text}=1", text, f"model.title={text}"):
                if "\0" not in setting:
                    contract.command("show", "model.toml", "--set", setting)


def test_no_axis_of_a_sweep_runs_code(place):
    """What cannot be swept is refused before anything is written."""
    with contract.untouched(place):
        for n, text in enumerate(strings(place / "mark")):
            for axis in (f"tau={text},1 ms", f"{text}=1,2", text, f"tau=1:2:{text}"):
                contract.held(sweeps.axis, axis)
            axis = (f"tau={text},1 ms", f"{text}=1,2")[n % 2]
            if n % 4 < 2:
                code, _, said = contract.command("sweep", "model.toml", "--over", axis, "--quiet")
                assert code == 2 and said, axis


def test_no_hardware_file_runs_code(place):
    known = whole.tables(files.find("hardware", "loihi2").read_text(encoding="utf-8"))
    fed = (*strings(place / "mark"), *injections.VALUES)
    for n, (path, _) in enumerate(whole.walk(known)):
        for text in fed[n % 16 :: 16]:
            (place / "chip.toml").write_text(whole.dumps(whole.changed(known, path, text)))
            with contract.untouched(place):
                chip = contract.held(hardware.load, "chip.toml")
            if not isinstance(chip, UserError):
                assert all(line.isprintable() for line in chip.title.split("\n"))


@pytest.mark.thorough
def test_a_hardware_file_shows_its_title_as_it_is(place):
    known = whole.tables(files.find("hardware", "loihi2").read_text(encoding="utf-8"))
    known["hardware"]["title"] = "$\\frac{zq$ <script>\x1b[2J"
    (place / "$x{.toml").write_text(whole.dumps(known))
    words = ("map", "model.toml", "--hardware", "$x{.toml", "--out", "out")
    assert contract.command(*words, seconds=60)[0] == 0


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "name", ["a;touch x.toml", "$(touch x).toml", "`touch x`.toml", "...toml", "-rf.toml", "a\nb.toml",
             "*: rm x.toml", "<script>x<.toml", "{{ x }}.toml", "a'\"b.toml", "%s.toml", "\x1b[2J.toml",
             "x\n#include <a>\n.toml", "# \\\n.toml", "\udcff.toml"],
)  # fmt: skip
def test_a_file_of_any_name_is_run(name, place, tmp_path):
    """Its name goes into no program, no shell and no folder but its own."""
    (place / name).write_text((place / "model.toml").read_text())
    before = contract.files(place)
    model = f"./{name}"
    assert contract.command("check", model)[0] == 0
    words = ("--backend", "numpy", "--quiet")
    assert contract.command("run", model, *words, "--out", "out", seconds=60)[0] == 0
    assert contract.command("report", "out")[0] == 0
    assert contract.command("report", "out", "--out", "page.md")[0] == 0
    new = {path.split("/")[0] for path in contract.files(place) - before}
    assert new == {"out", "page.md", "page"}
    _require_only_our_tags((place / "out" / "report.html").read_text())
    assert "<script" not in _outside_code((place / "page.md").read_text())


def test_a_folder_of_any_name_is_written_to(place):
    for n, text in enumerate(strings(place / "mark")[::3]):
        if "\0" in text or "\n" in text or not text.strip(" .") or text.startswith(("/", "..")):
            continue
        with contract.untouched(place, (f"out{n}",)):
            words = ("run", "model.toml", "--backend", "nowhere", "--out", f"out{n}/{text}")
            contract.command(*words)


# ------------------------------------------------------------------------------ pages


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {f"{tag} {name}" for name, _ in attrs}


def _tags(page: str) -> _Tags:
    found = _Tags()
    found.feed(page)
    return found


OURS = set(
    [
        "a",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "head",
        "html",
        "img",
        "meta",
        "nav",
        "p",
        "pre",
        "section",
        "style",
    ]
)
OURS |= set(["summary", "table", "tbody", "td", "th", "thead", "title", "tr"])


def _require_only_our_tags(page: str) -> None:
    found = _tags(page)
    assert found.tags <= OURS
    assert not {a for a in found.attributes if a.split()[1].startswith("on")}


def _outside_code(page: str) -> str:
    """A Markdown page without its blocks of code, all of which end."""
    outside, fence = [], ""
    for line in page.split("\n"):
        ticks = line if len(line) > 2 and not line.strip("`") else ""
        if ticks and (not fence or ticks == fence):
            fence = "" if fence else ticks
        elif not fence:
            outside.append(line)
    assert not fence
    return "\n".join(outside)


def _summary(text: str) -> dict:
    """A run's summary, whose every text is another."""
    section = {"title": text, "text": text, "figures": [], "commands": [text]}
    section["table"] = {"columns": [text, text], "rows": [[text, text]]}
    return {
        "title": text,
        "model": text,
        "backend": text,
        "results": {text: text},
        "sections": [section, section],
        "over": {text: [text]},
        "versions": {text: text},
        "set": {text: text, "a.b": text},
        "parameters": {text: text},
        "failed": {text: text},
        "command": text,
        "model_digest": text,
        "wall_seconds": {text: 1.5},
    }


def test_a_page_shows_every_text_and_runs_none(place):
    (place / "run").mkdir()
    for text in strings(place / "mark")[::2]:
        (place / "run" / "summary.json").write_text(json.dumps(_summary(text)))
        _require_only_our_tags(report(place / "run").read_text(encoding="utf-8"))
        page = report(place / "run", place / "page.md", force=True).read_text(encoding="utf-8")
        outside = _outside_code(page)
        assert "<" not in outside and "](" not in outside.replace("\\](", "")
        assert len(re.findall("^# ", outside, re.MULTILINE)) == 1
        assert len(re.findall("^## ", outside, re.MULTILINE)) == 5
    assert {p.name for p in place.iterdir()} == {"model.toml", "run", "page.md"}


@pytest.mark.parametrize("figure", ["/etc/passwd", "../secret.png", "link.png", "secret.txt"])
def test_a_page_holds_no_file_from_elsewhere(figure, place):
    (place / "run").mkdir()
    (place / "secret.png").write_bytes(b"secret")
    (place / "run" / "secret.txt").write_bytes(b"secret")
    (place / "run" / "link.png").symlink_to(place / "secret.png")
    summary = {"results": {}, "figures": [figure]}
    (place / "run" / "summary.json").write_text(json.dumps(summary))
    for words in (("report", "run"), ("report", "run", "--out", "page.md")):
        status, _, said = contract.command(*words)
        assert status == 2 and "the figure" in said
    assert not (place / "run" / "report.html").exists() and not (place / "page").exists()


def test_a_summary_of_another_kind_costs_a_sentence(place):
    (place / "run").mkdir()
    usual = _summary("x")
    values = (None, 1, "x", [], {}, [[1]], {"a": {}}, float("nan"))
    for n, (path, _) in enumerate([*whole.walk(usual)]):
        for value in (values[n % 8], values[(n + 3) % 8]):
            changed = whole.changed(usual, path, value)
            (place / "run" / "summary.json").write_text(json.dumps(changed))
            contract.command("report", "run")
    (place / "run" / "summary.json").write_text("[" * 100_000)
    contract.command("report", "run")


# --------------------------------------------------------------------------- pickles


class Trap:
    """Its pickle, once loaded, makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


def _pickles(folder) -> list:
    """Files of every kind that may hold a pickle, and one that is damaged."""
    trap = Trap(folder / "sprung")
    np.save(folder / "a.npy", np.array([[trap]]), allow_pickle=True)
    np.savez(folder / "a.npz", w_in=np.array([trap]), w_out=np.array([trap]))
    (folder / "b.npz").write_bytes(pickle.dumps(trap))
    (folder / "c.npz").write_bytes((folder / "a.npz").read_bytes()[:100])
    (folder / "b.npy").write_bytes(pickle.dumps(trap))
    found = [*folder.glob("*.np?")]
    if contract.installed("torch"):
        import torch

        torch.save({"network": trap}, folder / "a.pt")
        found.append(folder / "a.pt")
    return found


def test_no_pickle_is_opened(place):
    import neuroglia_snn.experiments.work as base

    parts = place / "study" / "checkpoint" / "parts"
    parts.mkdir(parents=True)
    work = base.Work(place / "study")
    for path in _pickles(place):
        status, _, said = contract.command(
            *("run", "noise_induced_memory", "--train", str(path), "--out", "out", "--quiet")
        )
        assert status == 2 and said
        (parts / "fold.npz").write_bytes(path.read_bytes())
        contract.held(work.part, "fold", dict)
    assert not (place / "sprung").exists() and not (place / "out").exists()


def test_nor_as_weights(place):
    pytest.importorskip("torch")
    from types import SimpleNamespace

    from neuroglia_snn.papers.fhn_classifier import on_lava, training

    setup = on_lava.setup
    network = SimpleNamespace(w_in=SimpleNamespace(weight=None), w_out=SimpleNamespace(weight=None))
    who = SimpleNamespace(model=SimpleNamespace(name="m"))
    parts = SimpleNamespace(setup=SimpleNamespace(system=who), digits=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "network", lambda *_: network)
        for path in _pickles(place):
            refused = contract.held(on_lava.read, parts, path)
            assert isinstance(refused, UserError), path
            assert isinstance(contract.held(training._load, path, None, None, None, 0), UserError)
    assert not (place / "sprung").exists()
