"""Strings that would run code, or leave their place, somewhere between a model file and a page."""

from __future__ import annotations

#: Stands in every string that could get through, and in no source of ours.
TOKEN = "zqINJ"
#: What would make the marker file, in C++ and Python.
_CPP = 'if(std::system("touch {mark}")){}'
_PYTHON = "__import__('os').system('touch {mark}')"

#: What ends a line for one of Python, C++, Brian2, TOML or a terminal.
BREAKS = ("\r", "\n", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0")


def _wide(text: str) -> str:
    """Full-width letters, which Python's identifiers take for the plain ones."""
    return "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in text)


#: Never a number, name, expression or statement: refused wherever it is more than shown.
CODE = (
    _PYTHON,
    f"0*{_PYTHON}",
    f"({_PYTHON})",
    "().__class__.__bases__[0].__subclasses__()",
    "os.system('touch {mark}')",
    "(lambda: open('{mark}', 'w'))()",
    'f\'{open("{mark}", "w")}\'',
    "eval(\"open('{mark}', 'w')\")",
    "[open(x, 'w') for x in ['{mark}']]",
    "(zqINJ := 1)",
    "0 if zqINJ else 1",
    "'zqINJ'",
    "b'zqINJ'",
    "zqINJ[0]",
    "[0, 1][0]",
    "exp(zqINJ=1)",
    "exp(*[0])",
    "t.real",
    "1j",
    "...",
    'std::system("touch {mark}")',
    '0); std::system("touch {mark}"); (0',
    f"0; {_CPP}",
    f"0; }} {_CPP} {{",
    '*/ std::system("touch {mark}"); /*',
    '0 // */ std::system("touch {mark}")',
    "0 /* zqINJ */",
    "??=include </etc/passwd>",
    "0 ??/\n; zqINJ()",
    f"0 \\\n; {_CPP}",
    "$(touch {mark})",
    "`touch {mark}`",
    "; touch {mark}",
    "| touch {mark}",
    "&& touch {mark} &&",
    "{{ 7*zqINJ }}",
    "{% for zqINJ in [1] %}zqINJ{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "%zqINJ%",
    "%(zqINJ)s",
    _wide("eval") + "(\"open('{mark}', 'w')\")",
    _wide("exp") + "(0)",
    _wide("rand") + "()",
    "e\u0301xp(0)",
    "\u202eexp(0)",
    "../../zqINJ",
    "/tmp/zqINJ",
    "<script>zqINJ()</script>",
    "</title><script>zqINJ()</script>",
    '"><img src=x onerror=zqINJ()>',
    "[zqINJ](javascript:zqINJ())",
    "![zqINJ](http://zqINJ)",
    "a | b |\n|---|\n| [zqINJ](x) |",
    "```\n<zqINJ>\n```",
    "\x1b[2JzqINJ",
    "$\\frac{zqINJ$",
    "-rf --zqINJ",
    "c__builtin__\neval\n(S'zqINJ'\ntR.",
)
#: After something valid, perhaps a comment: dropped with it, or refused.
AFTER = (
    *(f"  # uniform{end}{_CPP}" for end in BREAKS),
    *(f"{end}{_CPP}" for end in BREAKS),
    *(f"  #{end}{_PYTHON}" for end in BREAKS),
    "  # zqINJ",
    "\n#include </etc/passwd>\n",
    "\n\n# zqINJ\n\n",
    "  # zqINJ */",
    "  # zqINJ \\\n",
    "  # zqINJ ??/\n",
    " \\\n",
    "\\",
    "\0",
    "\ufeff",
    "\u200b",
    "\u00a0",
    " ",
    ";",
)
#: Odd, and yet perhaps a value of its field.
ODD = (
    "",
    " ",
    ".",
    "..",
    "\0",
    "None",
    "True",
    "nan",
    "-inf",
    "1e999",
    "9**9**9",
    "0x1F",
    "1_000",
    "0777",
    "1e-400",
    "-0",
    "\u0663",
    "\u00b2",
    "xor",
    "and_eq",
    "main",
    "int",
    "lambda",
    "NULL",
    "M_PI",
    "errno",
    "stdin",
    "t",
    "_namespace",
    "x" * 5000,
    "1" * 60_000,
    "1 " * 20_000,
    "(" * 2000,
    "-" * 3000 + "1",
    "1 " + "+ 1" * 3000,
    "not " * 1000 + "True",
)
#: Of other types than text.
VALUES = (0, -1, 10**30, 10**4000, 1.5, float("nan"), float("inf"), True, [], {}, [[]], {"a": {}})
