"""Faults of brian2cuda's releases, mended in the text that they generate.

Every patch says what is wrong, where that is written, and what stands there instead. A release whose
text is neither the faulty one nor known is refused; the tests say of each patch when a release no
longer needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from brian2.devices.device import get_device

from neuroglia_snn.errors import BackendError

#: Releases whose text the patches were written for.
KNOWN = ("1.0a7", "1.0b1")


@dataclass(frozen=True)
class Patch:
    """A fault in one kind of generated file.

    ``file`` is a file of the project, or the template of code objects (``reset``, ``synapses``) of which each
    is a file. Of these the ones are concerned in which ``context`` is found: there ``faulty`` must be.
    ``mended`` replaces it; it is what `re.sub` takes.
    """

    name: str
    fault: str
    reference: str
    file: str
    faulty: re.Pattern[str]
    mended: str | Callable[[re.Match[str]], str]
    context: re.Pattern[str] = re.compile("")

    def mend(self, text: str) -> str | None:
        """The text without the fault; None where it is not there, though it should be."""
        if not self.context.search(text):
            return text
        mended, number = self.faulty.subn(self.mended, text)
        return mended if number else None


PATCHES = (
    Patch(
        "standard",
        "The makefile asks for C++11, which the Thrust of CUDA 13 cannot be compiled as.",
        "https://github.com/brian-team/brian2/pull/1853 (the preferences of Brian2, not this makefile);"
        " templates/makefile, line 9",
        "makefile",
        re.compile(r"-std=c\+\+11"),
        "-std=c++17",
    ),
    Patch(
        "letters",
        "Values that a program is given are changed to lower case, names of files among them, which then"
        " are not found.",
        "https://github.com/brian-team/brian2/pull/1533 (mended in Brian2's own C++ standalone, not here);"
        " templates/objects.cu, line 86 (1.0a7), 92 (1.0b1)",
        "objects.cu",
        re.compile(
            r"std::for_each\(s_value\.begin\(\), s_value\.end\(\), \[\]\(char& c\).*?\}\);"
            r'(\s*)if \(s_value == "true"\)(.*?)if \(s_value == "false"\)',
            re.DOTALL,
        ),
        r'\1if (s_value == "true" || s_value == "True")\2if (s_value == "false" || s_value == "False")',
    ),
    Patch(
        "clock",
        "A pathway's delay is compared with the clock `defaultclock`, which may step otherwise than the"
        " synapses or not be there at all.",
        "not reported as far as we found (next of kin: https://github.com/brian-team/brian2cuda/issues/222);"
        " templates/synapses.cu, line 284",
        "synapses",
        re.compile(
            r"\bdefaultclock(\.timestep\[0\] >= .*?^\s*)(\w+)(\.timestep\[0\],)$", re.M | re.S
        ),
        r"\2\1\2\3",
        re.compile(r"num_blocks = num_parallel_blocks \* num_spiking_neurons;"),
    ),
    Patch(
        "scope",
        "What a reset does to a unit stands in the scope of what it does once: a parameter that both read is"
        " declared twice, which no compiler takes.",
        "not reported as far as we found; templates/reset.cu, line 25",
        "reset",
        re.compile(r"^(    _idx = neuron_id;\n)(?!    \{)(.*?)(\n\}\n)", re.M | re.S),
        r"\1    {\2\n    }\3",
    ),
)


def apply(folder: Path) -> None:
    """Mend a project that the current device has just written into a folder.

    Raises
    ------
    BackendError
        If the text is none that the patches know.
    """
    for patch in PATCHES:
        for file in concerned(patch, folder):
            text = file.read_text(encoding="utf-8")
            mended = patch.mend(text)
            if mended is None:
                raise BackendError(
                    f"brian2cuda {version('brian2cuda')} does not write {file.name} as"
                    f" {' and '.join(KNOWN)} do, which are known (patch '{patch.name}')"
                )
            if mended != text:
                file.write_text(mended, encoding="utf-8")


def concerned(patch: Patch, folder: Path) -> Iterator[Path]:
    """The files of a project in which a patch's fault may be."""
    if (folder / patch.file).exists():
        yield folder / patch.file
    for name, made in sorted(get_device().code_objects.items()):
        if made.template_name == patch.file:
            yield folder / "code_objects" / f"{name}.cu"
