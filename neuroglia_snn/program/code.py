"""What Brian2 hands over in place of compiled code: statements, variables and indices.

A code object of a run is a record; nothing is generated for it. Called from Python (a monitor's
``record_single_timestep``), it runs in the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brian2.codegen.codeobject import CodeObject
from brian2.codegen.generators.base import CodeGenerator
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.permutation_analysis import OrderDependenceError, check_for_order_independence
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.codegen.translation import make_statements
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.preferences import prefs
from brian2.utils.logger import get_logger

#: Brian2's own, for a warning of Brian2's.
logger = get_logger("brian2.codegen.generators.base")


class Code(CodeObject):
    """A record of abstract code, as Brian2's statements.

    Attributes
    ----------
    scalar, vector : statements that are done once, and for every unit
    keywords : what the object tells the template
    unconditional : names of conditions that its writes do not heed
    any_order : False where the result depends on the order of the units
    """

    class_name = "neuroglia"
    templater = NumpyCodeObject.templater
    generator_class: type[CodeGenerator] = CPPCodeGenerator

    #: What its functions are written in.
    language = "C++"
    #: Names of the implementations of a script's functions that it can call; none for those that Brian2 finds.
    implementations: tuple[str, ...] = ()
    #: Runs one code object from Python; the device sets it.
    execute: Callable[[Code], None]

    @classmethod
    def is_available(cls) -> bool:
        return True

    def compile(self) -> None:
        """Nothing: a record is compiled with all others of a run."""

    def compile_block(self, block: str) -> None:
        """Nothing, likewise."""

    def run_block(self, block: str) -> None:
        """The code as a whole; there are no other blocks."""
        self.execute(self)

    def before_run(self) -> None:
        """Nothing: the run prepares its program."""

    def after_run(self) -> None:
        """Nothing: the run clears what it leaves."""

    def __call__(self, **keywords: Any) -> None:
        self.execute(self)


class _CudaGenerator(CPPCodeGenerator):
    """Lets Brian2 find functions by the name by which Brian2CUDA does."""

    class_name = "cuda"


class CudaCode(Code):
    """A record for a GPU, which calls functions that are written for one, as Brian2CUDA's are."""

    class_name = "neuroglia_cuda"
    generator_class = _CudaGenerator
    language = "CUDA"
    implementations = ("neuroglia_cuda", "cuda")


for _drawn in ("rand", "randn"):
    DEFAULT_FUNCTIONS[_drawn].implementations.add_implementation(Code, None)


def record(
    kind: type[CodeObject],
    owner: Any,
    name: str,
    abstract_code: dict[str | None, str],
    variables: dict[str, Any],
    template_name: str,
    variable_indices: dict[str, str],
    template_kwds: dict[str, Any] | None,
    override_conditional_write: Any,
    compiler_kwds: dict[str, Any],
) -> Code:
    """The record of a code object, checked as Brian2's code generation checks it.

    ``kind`` is the class whose functions the code may call: `Code`, or NumPy's.

    Raises
    ------
    SyntaxError
        For statements that Brian2 does not allow.
    """
    template = getattr(kind.templater, template_name)
    code = Code(
        owner,
        "",
        variables,
        variable_indices,
        template_name=template_name,
        template_source="",
        name=name,
        compiler_kwds=compiler_kwds,
    )
    generator = CodeGenerator(
        variables=variables,
        variable_indices=variable_indices,
        owner=owner,
        iterate_all=template.iterate_all,
        codeobj_class=kind,
        override_conditional_write=override_conditional_write,
        allows_scalar_write=template.allows_scalar_write,
        name=name,
        template_name=template_name,
    )
    code.keywords = dict(template_kwds or {})
    code.unconditional = frozenset(override_conditional_write or ())
    code.scalar, code.vector = _statements(abstract_code, variables)
    for statements in (code.scalar, code.vector):
        generator.arrays_helper(statements)
    code.any_order = _any_order(generator, code.vector)
    return code


def _statements(abstract_code: dict[str | None, str], variables: dict[str, Any]):
    ((block, text),) = abstract_code.items()
    return make_statements(
        text, variables, prefs.core.default_float_dtype, optimise=True, blockname=block
    )


def _any_order(generator: CodeGenerator, statements: list[Any]) -> bool:
    """Whether the result is the same in any order; Brian2 warns where it is not."""
    if not generator.has_repeated_indices(statements):
        return True
    try:
        check_for_order_independence(statements, generator.variables, generator.variable_indices)
    except OrderDependenceError:
        lines = "line" if len(statements) == 1 else "lines"
        logger.warn(
            "Came across an abstract code block that may not be well-defined: the outcome may depend "
            "on the order of execution. You can ignore this warning if you are sure that the order of "
            f"operations does not matter. {len(statements)} {lines} of abstract code, first line is: "
            f"'{statements[0]}'\n"
        )
        return False
    return True
