"""Programs for several GPUs at once: compiled, and recognised."""

from __future__ import annotations

import struct
from pathlib import Path

#: For nvcc: machine code for both, after one pass of its front end.
BOTH = "-gencode=arch=compute_80,code=[sm_80,sm_90]"


def for_both(folder: Path) -> None:
    """Let a project's makefile for sm_90 make code for sm_80, too."""
    makefile = folder / "makefile"
    one = makefile.read_text()
    assert "-arch=sm_90" in one
    makefile.write_text(one.replace("-arch=sm_90", BOTH))


def architectures(program: Path) -> set[int]:
    """Architectures for which a program holds machine code (80 for ``sm_80``).

    From the headers that nvcc writes: a container (magic number, version, its header's length, what
    follows), and entries in it (kind, of which 2 is machine code, lengths of header and content, and,
    28 bytes on, the architecture).
    """
    data, found, at = program.read_bytes(), set(), -1
    while (at := data.find(b"\x50\xed\x55\xba", at + 1)) >= 0:
        header, length = struct.unpack_from("<HQ", data, at + 6)
        entry = at + header
        while entry < at + header + length:
            kind, entry_header, content = struct.unpack_from("<HxxIQ", data, entry)
            found |= set(struct.unpack_from("<I", data, entry + 28)) if kind == 2 else set()
            entry += entry_header + content
    return found
