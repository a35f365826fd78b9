"""One page of a result: whole in itself, readable on a phone, from wherever the folder is moved to."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroglia_snn.cli import main
from neuroglia_snn.errors import ResultError, UserError
from neuroglia_snn.reports import report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A result with a figure in a folder below, a wide table, and text that HTML would take for tags."""
    place = tmp_path / "result"
    (place / "part").mkdir(parents=True)
    figure = Figure(figsize=(9, 3))
    figure.subplots().plot(np.arange(3))
    figure.savefig(place / "part" / "curve.png")
    section = {
        "title": "Recall & <noise>",
        "text": "A sentence. " * 30,
        "figures": [str(place / "part" / "curve.png")],
        "table": {"columns": [f"column {n}" for n in range(20)], "rows": [["0.123 ± 0.004"] * 20]},
        "commands": ["neuroglia sweep x --over " + "a" * 300],
    }
    summary = {
        "study": "noise-memory",
        "results": {"a": 1},
        "sections": [section, section | {"title": "Another"}],
        "versions": {"neuroglia_snn": "1"},
        "wall_seconds": {"total": 12.3},
        "set": {"sigma2": "0.1"},
        "parameters": {"sigma2": "0.1", "k": "2"},
        "command": "neuroglia reproduce noise-memory",
    }
    (place / "summary.json").write_text(json.dumps(summary))
    return place


def test_html_holds_all_and_asks_for_nothing(folder):
    text = report(folder).read_text()
    assert text.count("data:image/png;base64,") == 2
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text) and "http" not in text
    assert "Recall &amp; &lt;noise&gt;" in text and "<noise>" not in text
    for word in ("0.123 ± 0.004", "neuroglia reproduce noise-memory", "neuroglia_snn 1", "12.3 s"):
        assert word in text


def test_a_folder_that_was_moved_still_has_its_figures(folder, tmp_path):
    moved = folder.rename(tmp_path / "elsewhere")
    assert "data:image/png" in report(moved).read_text()
    (moved / "part" / "curve.png").unlink()
    with pytest.raises(ResultError, match=r"the figure curve\.png is gone"):
        report(moved)


def test_markdown_has_its_figures_beside_it(folder, tmp_path):
    path = report(folder, tmp_path / "docs" / "page.md")
    assert (tmp_path / "docs" / "page" / "part-curve.png").is_file()
    text = path.read_text()
    assert "![Another](page/part-curve.png)" in text and "| 0.123 ± 0.004 |" in text
    assert "| sigma2 | 0.1 (set) |" in text and "| k | 2 |" in text
    assert max(len(x) for x in text.splitlines() if x.startswith("A sentence")) <= 110


def test_names_that_markdown_would_trip_over(folder, tmp_path):
    """Two figures of one name in two folders, with a space and an accent; bars in a table."""
    summary = json.loads((folder / "summary.json").read_text())
    section = summary["sections"][0] | {"table": {"columns": ["|x|"], "rows": [["a|b"]]}}
    section["figures"] = []
    for part in ("one", "two"):
        (folder / part).mkdir()
        shutil.copy(folder / "part" / "curve.png", folder / part / "a é.png")
        section["figures"].append(f"elsewhere/{folder.name}/{part}/a é.png")
    summary["sections"] = [section]
    (folder / "summary.json").write_text(json.dumps(summary))
    text = report(folder, tmp_path / "page.md").read_text()
    assert {p.name for p in (tmp_path / "page").iterdir()} == {"one-a é.png", "two-a é.png"}
    assert "(page/one-a%20%C3%A9.png)" in text and r"| a\|b |" in text


def test_numbers_that_are_not_known_are_left_out(folder, tmp_path):
    summary = {"results": {"a": 1.0, "b": None}, "standard_deviations": {"a": None, "b": None}}
    (folder / "summary.json").write_text(json.dumps(summary))
    text = report(folder, tmp_path / "page.md").read_text()
    assert (
        "| a | 1 |" in text
        and "| b |" not in text
        and "±" not in text.replace("mean ± standard", "")
    )


def test_points_that_failed_are_in_both(folder, tmp_path):
    summary = json.loads((folder / "summary.json").read_text())
    summary["failed"] = {"tau = 0 ms, seed 1": "tau is below its minimum"}
    (folder / "summary.json").write_text(json.dumps(summary))
    for name in ("page.html", "page.md"):
        text = report(folder, tmp_path / name).read_text()
        assert "tau = 0 ms, seed 1" in text and "below its minimum" in text


def test_what_is_there_is_not_written_over(folder, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("mine")
    with pytest.raises(ResultError, match="exists already"):
        report(folder, other)
    assert other.read_text() == "mine"
    report(folder, other, force=True)
    assert "Recall" in other.read_text()
    report(folder)
    report(folder)  # its own file, made from the same summary


def test_mistakes_cost_one_sentence(folder, tmp_path, capsys):
    assert main(["report", str(tmp_path / "nothing")]) == 2
    said = capsys.readouterr().err
    assert "holds no finished result" in said and len(said.splitlines()) == 1
    with pytest.raises(UserError, match=r"ends in \.html or \.md"):
        report(folder, tmp_path / "page.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ResultError, match=r"file holds no finished result \(it is no folder\): name"
    ):
        report(tmp_path / "file")
    (tmp_path / "place.html").mkdir()
    (tmp_path / "notes").mkdir()
    for out, said in (
        (tmp_path / "file" / "page.md", "cannot be written"),
        (tmp_path / "place.html", "cannot be written"),
    ):
        with pytest.raises(ResultError, match=said):
            report(folder, out, force=True)
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(ResultError, match="notes exists already"):
        report(folder, tmp_path / "notes.md")  # its figures would go into the user's folder
    (folder / "summary.json").write_text('{"results": {}, "interrupted_at_ms": 3}')
    with pytest.raises(ResultError, match="an interrupted run: finish it with --resume"):
        report(folder)
    (folder / "summary.json").write_text("{")
    with pytest.raises(ResultError, match="cannot be read"):
        report(folder)
    (folder / "summary.json").write_text("{}")
    with pytest.raises(ResultError, match="is not the summary"):
        report(folder)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (on Debian: apt-get install chromium)")
def test_a_phone_shows_it_without_a_network(folder, tmp_path):
    """Nothing sticks out of a screen of 390 pixels, and every figure is drawn."""
    page = report(folder).read_text()
    probe = """<script>addEventListener("load", () => {
      const images = [...document.images];
      document.title = JSON.stringify({
        wide: document.documentElement.scrollWidth, screen: innerWidth,
        drawn: images.filter(i => i.complete && i.naturalWidth > 0).length,
        widest: Math.max(...images.map(i => i.getBoundingClientRect().right))});
    });</script></body>"""
    # Chromium's own window is never this narrow: a frame is.
    (tmp_path / "inner.html").write_text(page.replace("</body>", probe))
    (tmp_path / "phone.html").write_text(
        '<iframe id="f" src="inner.html" style="width:390px;height:800px;border:0"></iframe><script>'
        'addEventListener("load", () => setTimeout(() => document.body.append('
        'document.createTextNode("PHONE" + document.getElementById("f").contentDocument.title)), 300))'
        "</script>"
    )
    shown = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=4000", "--dump-dom"),
            f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / "phone.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = json.loads(re.search(r"PHONE(\{.*?\})", shown)[1])
    assert found["screen"] == 390 and found["wide"] <= 390 and found["widest"] <= 390
    assert found["drawn"] == 2


def test_a_report_beside_its_folder_links_to_the_figures_there(folder):
    out = folder.with_suffix(".md")
    text = report(folder, out).read_text()
    assert "(result/part/curve.png)" in text
    assert not (folder / "part-curve.png").exists()  # nothing is copied
    with pytest.raises(ResultError, match=r"result\.md exists already"):
        report(folder, out)
