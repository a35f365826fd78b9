"""For which GPUs a program was compiled."""

from __future__ import annotations

import struct
from pathlib import Path


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
