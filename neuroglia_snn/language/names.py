"""Names that a model file may give: of its tables, parameters, variables, events and images.

A name goes into generated programs, so it is ASCII and no word, macro or function that means something there.
"""

from __future__ import annotations

import functools
import keyword
import re
from pathlib import Path

#: What a name looks like.
PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Longest name: generated files are called by two of them, and more.
LONGEST = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Keywords and alternative tokens of C and C++.
_WORDS = _words(
    """
    alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor
    bool break case catch char char16_t char32_t char8_t class co_await co_return co_yield compl
    concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline
    int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast requires restrict return short signed sizeof
    static static_assert static_cast struct switch synchronized template this thread_local throw
    true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t
    while xor xor_eq
    """
)

#: What generated programs, their libraries and Brian2's objects use by name.
_CALLED = _words(
    """
    abort atomicAdd blockDim blockIdx brian calloc clock_t copysign defaultclock dim3 exit fabs
    fabsf fclose fma fmaf fmax fmin fmod fopen fprintf fputs fread free frexp fwrite getenv
    gridDim int16_t int32_t int64_t int8_t intptr_t isfinite isinf isnan isnormal ldexp lround
    main malloc memcmp memcpy memmove memset modf nan nearbyint network pow powf printf ptrdiff_t
    puts raise random realloc rint round signal signbit size_t snprintf sprintf srand ssize_t
    std strtod strtoul system threadIdx time time_t trunc uint16_t uint32_t uint64_t uint8_t
    uintptr_t usleep variables warpSize
    """
)


@functools.lru_cache(maxsize=1)
def _macros() -> frozenset[str]:
    """Macros of the C and C++ headers that generated programs include (`g++ -dM -E`, glibc)."""
    return _words(Path(__file__).with_name("macros.txt").read_text("ascii"))


#: How our own names begin.
_OURS = "neuroglia_"


def made(kind: str, *names: object) -> str:
    """A name of ours, which is neither one of a model file nor one that is made of other names.

    Names of model files neither begin with ``neuroglia_`` nor hold two underscores in a row (`refusal`).

    Parameters
    ----------
    kind : str
        What it names, a word without underscores.
    *names
        What it is made of.
    """
    return "_".join([f"{_OURS}{kind}", *(["__".join(map(str, names))] if names else [])])


def is_made(name: str) -> bool:
    """Whether a name is one of ours."""
    return name.startswith(_OURS)


def refusal(name: str) -> str | None:
    """What a name is that nothing in a model file may have, as the end of a sentence; None if it may."""
    if name.startswith("_") or name.endswith("_") or "__" in name:
        return "reserved (by its underscores)"
    if not PATTERN.fullmatch(name):
        return "no name (a letter, then letters, digits and _)"
    if len(name) > LONGEST:
        return f"longer than {LONGEST} characters"
    if name in _WORDS or keyword.iskeyword(name):
        return "a word of a programming language"
    if name in _CALLED or name in _macros() or is_made(name):
        return "a name that generated programs use"
    return None
