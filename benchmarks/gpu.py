"""Everything that takes a GPU: agreement with the processor, memory checks, microseconds a step.

    python benchmarks/gpu.py [--out DIR] [--minutes 11.5] [--only TEXT] [--jobs N] [--target cuda] [--dry]

Needs a GPU, a C++ compiler, make and ``nvcc`` with its headers (of the system, or ``pip install
'neuroglia_snn[nvcc]'``); brian2cuda's rows need the extra ``cuda``, the checks of memory
compute-sanitizer. All ends within the minutes. Every part is a process of its own (``on_gpu.py``) with
a limit of time, so that one that hangs or crashes costs that part alone; what does not fit is left out, and
said. ``DIR/gpu.json`` and ``DIR/gpu.md`` (the table of docs/explanation/performance.md) are written anew after each part,
and the same command goes on where it was: parts that it holds are not run again, failed ones are.

First all programs are compiled, ``--jobs`` at a time, into DIR: only the figures under "compile" are taken
then. The parts follow one by one, the most telling first:

- a copy of memory, and a step of one lattice of 130 x 130 (the memory model);
- agreement with the loop in C++ (float64): COBA, STDP, the lattice and `tripartite_coba` to rounding where
  there is no noise, or for as long as sums in another order allow, then rates; the lattice with noise by the means
  of its states;
- compute-sanitizer's memcheck and racecheck on COBA and a lattice;
- microseconds a step, of the loop alone: brian2cuda's four published networks (COBAHH, Brunel with 10^7
  synapses, the mushroom body, STDP), COBA and `tripartite_coba` beside brian2cuda, lattices of 1024^2 and 4096^2
  and 256 of 130 x 130, and then larger ones. Medians of rounds, and the fastest and the slowest.

Networks are those of ``networks/in_brian.py`` in float64, lattices in float32, too. "ns/neuron" is a step's time over all neurons; the share
of the bandwidth is that of the values that a lattice's step must read and write at least (five numbers a neuron)
and there is none where these are fewer than 200 MB, which caches hold. Ratios are brian2cuda's time over ours;
there is none where the rates of the two differ by more than a fifth.

``--dry`` does every part with a small network on the target ``cpp``, where there is no GPU, to try the script.
Exit status 1 says that a part failed or that something is not as it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

CHILD = Path(__file__).with_name("on_gpu.py")
#: Seconds that are worth beginning a part for, and that compiling everything may take.
SHORTEST, COMPILING = 5.0, 200.0
#: Bytes beyond the caches of any GPU.
LARGE = 200e6
#: By how much rates may differ where times are compared.
RATES = 0.2
Row = dict[str, object]


@dataclass(frozen=True)
class Part:
    """A part: the function of ``on_gpu.py``, what it is given, and seconds at most.

    ``small`` is what is given otherwise in a dry run, ``compiling`` what a run is given that only compiles;
    None where that is not done beforehand. ``beside`` is the part that a peer's time is compared with.
    """

    name: str
    do: str
    given: Row
    seconds: float
    small: Row = field(default_factory=dict)
    compiling: Row | None = None
    beside: str | None = None


QUICKLY: Row = {"steps": 60, "count": 1}
TINY_COBA: Row = {"name": "coba", "size": 400}


def lattice(side: int, networks: int = 1, precision: str = "float64") -> Part:
    """A step of the memory model, whose code is another for each shape."""
    title = f"lattice {side:,} x {side:,}" + (f", {networks} of them" if networks > 1 else "")
    given: Row = {"name": "lattice", "size": side, "networks": networks}
    if precision != "float64":
        title, given = f"{title}, {precision}", {**given, "precision": precision}
    small: Row = {"size": 22, "networks": min(networks, 2), "steps": 100, "count": 2}
    if networks > 1:  # the code is that of one, and each network takes a third of a second to make
        return Part(title, "model_step", given, 240, small)
    return Part(title, "model_step", given, 60, small, QUICKLY)


def network(name: str, size: int, title: str, steps: int, seconds: float = 60) -> Part:
    """A step of a network of Brian2's; larger ones run the code of the smallest."""
    given: Row = {"name": name, "size": size, "steps": steps}
    first = size <= 10_000
    small: Row = {"size": 200, "steps": 100, "count": 2}
    return Part(title, "step", given, seconds, small, QUICKLY if first else None)


def tripartite(astrocytes: int, steps: int, count: int, seconds: float = 60) -> Part:
    """A step of the model of the catalogue, whose astrocytes find each other among all pairs."""
    given: Row = {"name": "tripartite_coba", "size": astrocytes, "steps": steps, "count": count}
    small: Row = {"size": 100, "steps": 100, "count": 2}
    compiling = QUICKLY if astrocytes <= 10_000 else None
    title = f"tripartite_coba, {astrocytes:,} astrocytes"
    return Part(title, "model_step", given, seconds, small, compiling)


def peer(of: Part, seconds: float = 90) -> Part:
    """The same in brian2cuda, whose code is another for each size."""
    do = "model_peer" if of.do == "model_step" else "peer"
    given: Row = {"steps": 2000} | {
        k: of.given[k] for k in ("name", "size", "steps") if k in of.given
    }
    compiling: Row = {"count": 0 if do == "peer" else 1}  # its code holds the number of steps
    small: Row = {"size": of.small["size"], "steps": 50, "count": 1}
    return Part(f"{of.name}, brian2cuda", do, given, seconds, small, compiling, of.name)


def agreement() -> list[Part]:
    """The target beside the processor."""
    few: Row = {"steps": 60, "later": 100}
    coba: Row = {"name": "coba", "size": 1000, "steps": 200, "later": 10_000}
    stdp: Row = {"name": "stdp", "size": 1000, "steps": 2000, "later": 10_000}
    field: Row = {"name": "lattice", "size": 52, "steps": 10_000}
    glia: Row = {"name": "tripartite_coba", "size": 400, "steps": 150}
    tiny: Row = {"size": 22, "steps": 60}
    return [
        Part("agreement, COBA", "agree", coba, 60, {"size": 200, **few}),
        Part(
            "agreement, lattice",
            "agree_model",
            {**field, "sigma2": "0"},
            60,
            {**tiny, "sigma2": "0"},
        ),
        Part("agreement, lattice with noise", "agree_model", {**field, "noisy": True}, 60, tiny),
        Part("agreement, STDP", "agree", stdp, 60, {"size": 100, **few}),
        Part("agreement, tripartite_coba", "agree_model", glia, 60, {"size": 100, "steps": 60}),
    ]


def sanitizer() -> list[Part]:
    """Checks of memory; one round of few steps."""
    coba: Row = {"part": "step", "given": {**TINY_COBA, **QUICKLY}}
    tiny = {"name": "lattice", "size": 22, **QUICKLY}
    on = {"COBA": coba, "lattice": {"part": "model_step", "given": tiny}}
    return [
        Part(f"{tool}, {name}", "sanitise", {"tool": tool, **given}, 90)
        for tool in ("memcheck", "racecheck")
        for name, given in on.items()
    ]


def parts() -> list[Part]:
    """All, the most telling first."""
    coba, cobahh = (network(n, 4000, f"{n.upper()}, 4,000", 5000) for n in ("coba", "cobahh"))
    stdp = network("stdp", 1000, "STDP", 5000)
    mushroom = network("mushroom_body", 2500, "mushroom body", 5000)
    brunel = network("brunel", 10_000, "Brunel, 10^7 synapses", 2000)
    many = [network(n, 10**5, f"{n.upper()}, 10^5", 1000) for n in ("coba", "cobahh")]
    most = [network(n, 10**6, f"{n.upper()}, 10^6", 300) for n in ("coba", "cobahh")]
    glia = tripartite(3200, 2000, 3)
    return [
        Part("copy", "copy", {}, 60, {"size": 1 << 24}),
        lattice(130),
        *agreement(),
        *sanitizer(),
        *(coba, peer(coba), cobahh, peer(cobahh), stdp, peer(stdp), mushroom, peer(mushroom)),
        *(brunel, peer(brunel), lattice(4096), lattice(1024), glia, peer(glia)),
        *(lattice(side, precision="float32") for side in (130, 4096, 1024)),
        *(lattice(130, 256), *many, *map(peer, many)),
        *(*most, network("brunel", 31_623, "Brunel, 10^8 synapses", 500, 90)),
        *(peer(lattice(130)), *(peer(p, 120) for p in most), tripartite(100_000, 500, 1, 240)),
    ]


def dry(part: Part) -> Part:
    """The same with a small network, which takes a moment."""
    return replace(part, given={**part.given, **part.small})


# ------------------------------------------------------------------------ carrying out


@dataclass
class Bench:
    """A folder of results, which goes on from what it holds."""

    folder: Path
    target: str
    head: Row
    rows: dict[str, Row] = field(default_factory=dict)
    compiled: dict[str, Row] = field(default_factory=dict)

    def resume(self) -> None:
        """Take up the rows of an earlier command.

        Raises
        ------
        SystemExit
            If they are of another machine or target.
        """
        file = self.folder / "gpu.json"
        if not file.exists():
            return
        found = json.loads(file.read_text())
        for key in ("GPU", "target", "dry"):
            if found.get(key) != self.head.get(key):
                raise SystemExit(
                    f"gpu.py: {file} is of {key} {found.get(key)}, this is {self.head.get(key)}:"
                    " name another folder, --out DIR"
                )
        done = found["parts"].items()
        self.rows = {n: r for n, r in done if not ("failed" in r or "not offered" in r)}
        if (self.folder / "cache").exists():  # else the files came here alone
            self.compiled = {n: r for n, r in found["compiled"].items() if "failed" not in r}

    def compile(self, work: Sequence[Part], jobs: int, end: float) -> None:
        """Compile what is not compiled yet, several at a time."""
        done = {*self.compiled, *self.rows}
        todo = [p for p in work if p.compiling is not None and p.name not in done]
        end = min(end, time.monotonic() + COMPILING)

        def one(part: Part) -> None:
            assert part.compiling is not None
            row = self._child(replace(part, given={**part.given, **part.compiling}), end)
            kept = {k: row[k] for k in ("before s", "failed", "not offered") if k in row}
            self.compiled[part.name] = {**kept, "at a time": jobs}
            print(f"compiled {part.name}: {json.dumps(kept)}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, todo))
        self.write()

    def carry_out(self, work: Sequence[Part], end: float) -> None:
        """Every part that is not there yet within its time, and all within theirs."""
        for part in work:
            if part.name in self.rows:
                continue
            print(f"{part.name} ...", flush=True)
            began = time.monotonic()
            row = self._child(part, end)
            self.rows[part.name] = {**row, "seconds": round(time.monotonic() - began, 1)}
            print(f"  {json.dumps(self.rows[part.name])}", flush=True)
            self.write()

    def _child(self, part: Part, end: float) -> Row:
        """What a part prints, or why it does not."""
        left = min(part.seconds, end - time.monotonic())
        if left < SHORTEST:
            return {"failed": "left out: no time was left"}
        given = dict(part.given)
        if part.do == "peer":
            given["folder"] = str(self.folder / "peers")
        command = [sys.executable, str(CHILD), part.do, json.dumps(given), self.target]
        environment = {
            **os.environ,
            "NEUROGLIA_CACHE": str((self.folder / "cache").resolve()),
            "CUDA_MODULE_LOADING": "EAGER",  # not within the loop that is timed
        }
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as child:
            try:
                said, wrong = child.communicate(timeout=left)
            except BaseException as reason:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # and what it started
                if not isinstance(reason, subprocess.TimeoutExpired):
                    raise
                child.communicate()
                return {"failed": f"took more than {left:.0f} s"}
        if child.returncode:
            last = [line for line in wrong.splitlines() if line.strip()] or ["nothing said"]
            return {"failed": f"ended with {child.returncode}: {last[-1][:500]}"}
        return json.loads(said.splitlines()[-1])

    def write(self) -> None:
        """The files, each at once; rows in the order of the parts."""
        places = {part.name: number for number, part in enumerate(parts())}
        self.rows = dict(sorted(self.rows.items(), key=lambda row: places.get(row[0], len(places))))
        text = json.dumps({**self.head, "parts": self.rows, "compiled": self.compiled}, indent=1)
        for name, content in (("gpu.json", text + "\n"), ("gpu.md", self.table())):
            partial = self.folder / f"{name}.partial"
            partial.write_text(content)
            partial.replace(self.folder / name)

    # ------------------------------------------------------------------------ the table

    def table(self) -> str:
        """All rows as Markdown."""
        beside = {p.beside: p.name for p in parts() if p.beside}
        lines = [f"{key}: {value}  " for key, value in self.head.items()]
        lines += [
            "",
            "| network | neurons | synapses | us a step | ns/neuron | of the bandwidth "
            "| GPU MiB | Hz | compile s | brian2cuda, us | its compile s | ratio |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        timed = [n for n, r in self.rows.items() if "us" in r and n not in beside.values()]
        lines += [self._line(name, beside.get(name, "")) for name in timed]
        lines.append("")
        for name, row in self.rows.items():
            if "us" not in row:
                mark = {True: "as it should be: ", False: "NOT as it should be: "}
                said = "; ".join(f"{k} {v}" for k, v in row.items() if k != "good")
                lines.append(f"- {name}: {mark.get(row.get('good'), '')}{said}")  # type: ignore[call-overload]
        return "\n".join(lines) + "\n"

    def _line(self, name: str, peer: str) -> str:
        row, other = self.rows[name], self.rows.get(peer, {})
        us, neurons = float(row["us"]), int(row["neurons"])  # type: ignore[arg-type, call-overload]
        peak, moved = self.rows.get("copy", {}).get("bytes a second"), row.get("bytes", 0)
        share = ""
        if peak and float(moved) > LARGE:  # type: ignore[arg-type]
            share = f"{float(moved) / us * 1e6 / float(peak):.0%}"  # type: ignore[arg-type]
        cells = [
            name,
            f"{neurons:,}",
            f"{row['synapses']:,}" if "synapses" in row else "",
            _spread(row),
            f"{us * 1e3 / neurons:.3g}",
            share,
            row.get("GPU MiB"),
            row.get("Hz"),
            self.compiled.get(name, {}).get("before s"),
            _spread(other) if "us" in other else other.get("failed", other.get("not offered")),
            self.compiled.get(peer, {}).get("before s"),
            _ratio(row, other),
        ]
        return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |"


def _spread(row: Row) -> str:
    low, high = row["range"]  # type: ignore[misc]
    return f"{row['us']:,} ({low:,} to {high:,})"  # type: ignore[has-type]


def _ratio(row: Row, other: Row) -> str:
    """How many times as long brian2cuda takes, or why that is not said."""
    if "us" not in other:
        return ""
    ours, theirs = row.get("Hz"), other.get("Hz")
    if ours is not None and theirs is not None:
        apart = abs(float(ours) - float(theirs))  # type: ignore[arg-type]
        if apart > RATES * float(ours):  # type: ignore[arg-type]
            return f"none: {theirs} Hz are not {ours} Hz"
    return f"x {float(other['us']) / float(row['us']):.2f}"  # type: ignore[arg-type]


def head(target: str, small: bool) -> Row:
    """What a table says of the machine."""
    from neuroglia_snn.backends import toolkit
    from neuroglia_snn.toolchain import compiler_line

    found: Row = {"GPU": None, "target": target, "dry": small, "date": str(datetime.date.today())}
    if target == "cuda":
        gpu, tools = toolkit.gpu(), toolkit.find()
        toolkit.require_driver(gpu, tools)
        found |= {"GPU": gpu.name, "nvcc": tools.line}
    return {**found, "compiler": compiler_line(), "cores": os.cpu_count()}


def main() -> int:
    """Read the options and run; 1 if anything failed or is not as it should be."""
    from neuroglia_snn.errors import UserError

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=11.5, help="in which all ends")
    parser.add_argument("--only", default="", metavar="TEXT", help="parts whose names hold it")
    parser.add_argument("--jobs", type=int, default=max(1, min(8, (os.cpu_count() or 1) // 2)))
    parser.add_argument("--target", choices=["cuda", "cpp"])
    parser.add_argument("--dry", action="store_true", help="small networks, on the target cpp")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    target = given.target or ("cpp" if given.dry else "cuda")
    try:
        bench = Bench(given.out, target, head(target, given.dry))
    except UserError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return 2
    work = [p for p in parts() if given.only in p.name]
    if not work:
        print(f"gpu.py: no part's name holds '{given.only}'", file=sys.stderr)
        return 2
    work = [dry(p) for p in work] if given.dry else work
    given.out.mkdir(parents=True, exist_ok=True)
    bench.resume()
    bench.compile(work, given.jobs, end)
    bench.carry_out(work, end)
    print((given.out / "gpu.md").read_text())
    rows = [bench.rows[p.name] for p in work]
    good = all(row.get("good", "failed" not in row) for row in rows)
    print("all as it should be" if good else "NOT all as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
