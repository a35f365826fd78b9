"""What can be wrong with a model: symbols, units, noise, references. Nothing is built or run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from brian2.core.functions import Function
from brian2.equations.codestrings import Expression
from brian2.units.allunits import second
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, geometry, spec, stability
from neuroglia_snn.catalog.load import build, load
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document, read_document
from neuroglia_snn.errors import ModelError, UserError, shown
from neuroglia_snn.expressions import ExpressionError
from neuroglia_snn.integrators import INTEGRATORS
from neuroglia_snn.quantities import UNITS, as_expression, parse_quantity, unit_name

#: The name, or the defined and the used name, on whose line a finding stands; see `Source.line_of`.
Needle = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Finding:
    """One thing to mend ("error") or to know ("warning")."""

    severity: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.message}"


def check_file(name_or_path: str) -> list[Finding]:
    """Everything wrong with a model file, errors first.

    A file that cannot be read at all gives one finding.
    """
    try:
        document = read_document(name_or_path)
        model = build(document)
    except ModelError as error:
        where, _, message = str(error).partition(": ")
        return [Finding("error", where, message)]
    except RecursionError:
        return [Finding("error", str(name_or_path), "nested too deeply")]
    return check(model, document)


def check(model: spec.Model, document: Document) -> list[Finding]:
    """Check a loaded model against the document it came from (for line numbers)."""
    checker = _Checker(model, document)
    checker.run()
    return sorted(checker.findings, key=lambda f: f.severity)


def load_checked(
    name_or_path: str, overrides: dict[str, str] | None = None
) -> tuple[spec.Model, list[Finding]]:
    """Load a model that a backend may run.

    Returns
    -------
    (model, warnings)

    Raises
    ------
    ModelError
        With every error that `check` finds, one line each.
    """
    model = load(name_or_path, overrides)
    findings = check(model, read_document(name_or_path))
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise ModelError("\n".join(f"{f.where}: {f.message}" for f in errors))
    return model, findings


_CONDITION = re.compile(r"[<>]|[=!]=|\b(and|or|not|True|False|not_refractory)\b")


class _Checker:
    def __init__(self, model: spec.Model, document: Document):
        self.model, self.document = model, document
        self.findings: list[Finding] = []
        self.broken: set[str] = set()  # populations and projections whose equations do not parse

    # ------------------------------------------------------------------- helpers

    def error(self, message: str, *path: str, needle: Needle = None) -> None:
        self._add("error", message, path, needle)

    def warn(self, message: str, *path: str, needle: Needle = None) -> None:
        self._add("warning", message, path, needle)

    def _add(self, severity: str, message: str, path: tuple[str, ...], needle: Needle) -> None:
        where = self.document.where(*path, needle=needle)
        finding = Finding(severity, where, shown(message, 600))
        if finding not in self.findings:
            self.findings.append(finding)

    def expression(
        self,
        text: str,
        symbols: eqs.Symbols,
        expected: Dimension | None,
        label: str,
        *path: str,
        needle: str | None = None,
    ) -> bool:
        """Check symbols and units of one expression; True if it is right."""
        try:
            unknown = sorted(expressions.names(text) - set(symbols))
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path, needle=needle)
            return False
        for name in unknown:
            called = re.search(rf"\b{name}\s*\(", text) is not None
            alike = [
                n
                for n, s in symbols.items()
                if n not in UNITS and isinstance(s, Function) == called
            ]
            kind = "a function" if called else "a variable, and not in [parameters]"
            self.error(
                f"unknown symbol '{name}' in {label}{nearest(name, alike)} (not {kind})",
                *path,
                needle=(needle, name) if needle else name,
            )
        if unknown:
            return False
        try:
            self._check_calls(text, symbols)
            found = expressions.dimensions_of(text, symbols)
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path, needle=needle)
            return False
        if expected is not None and found is not expected:
            self.error(
                f"inconsistent units in {label}: '{unit_name(found)}' found,"
                f" '{unit_name(expected)}' expected",
                *path,
                needle=needle,
            )
            return False
        return True

    @staticmethod
    def _check_calls(text: str, symbols: eqs.Symbols) -> None:
        called = set(re.findall(r"([A-Za-z_]\w*)\s*\(", text))
        for name in expressions.names(text):
            if isinstance(symbols[name], Function) != (name in called):
                verb = "must be called" if name not in called else "is not a function"
                raise ExpressionError(f"'{name}' {verb} in '{text}'")

    def statements(
        self, code: str, symbols: eqs.Symbols, assignable: set[str], label: str, *path: str
    ) -> None:
        """Check abstract code: targets, symbols, units. Names assigned first are local."""
        symbols, local = dict(symbols), set()
        try:
            parts = list(expressions.statements(code))
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path)
            return
        for target, operator, text in parts:
            known = symbols.get(target)
            if known is None and operator == "=":
                if self.expression(text, symbols, None, label, *path, needle=target):
                    symbols[target] = eqs.variable(target, expressions.dimensions_of(text, symbols))
                    local.add(target)
                continue
            if known is None or (target not in assignable and target not in local):
                self.error(
                    f"{label} assigns to '{target}', which is not a variable"
                    f"{nearest(target, assignable)} (known: {', '.join(sorted(assignable))})",
                    *path,
                    needle=target,
                )
                continue
            scale = operator in ("*=", "/=")
            dims = DIMENSIONLESS if scale else known.dim  # type: ignore[union-attr]
            self.expression(
                text, symbols, dims, f"{label} ('{target} {operator}')", *path, needle=target
            )

    # ------------------------------------------------------------------ sections

    def run(self) -> None:
        if self.model.noise not in (None, "stratonovich", "ito"):
            self.error(
                f"noise must be 'stratonovich' or 'ito', not '{self.model.noise}'", "model", "noise"
            )
        self._names()
        for population in self.model.populations.values():
            self._guard(self._population, population, "population")
        for projection in self.model.projections.values():
            if not self.broken & {projection.source.name, projection.target.name}:
                self._guard(self._projection, projection, "projection")
        if any(f.severity == "error" for f in self.findings):
            return  # what follows evaluates equations
        for name, stimulus in self.model.stimuli.items():
            self._stimulus(name, stimulus)
        for name, record in self.model.records.items():
            self._record(name, record)
        self._experiment()
        self._unused()
        if not any(f.severity == "error" for f in self.findings):
            self._numerics()

    def _guard(self, method, item, table: str) -> None:
        try:
            method(item)
        except eqs.EquationError as error:
            self.broken.add(item.name)
            self.error(
                f"{table} '{item.name}': {error}", table, item.name, "equations", needle=error.name
            )
        except UserError as error:
            self.broken.add(item.name)
            self.error(f"{table} '{item.name}': {error}", table, item.name)
        except RecursionError:
            self.broken.add(item.name)
            self.error(f"{table} '{item.name}': equations nested too deeply", table, item.name)

    def _names(self) -> None:
        for name in (*self.model.parameters, *self.model.tables):
            if eqs.taken(name):
                self.error(
                    f"'{name}' is {eqs.taken(name)} already; choose another name",
                    "parameters" if name in self.model.parameters else "table",
                    name,
                )

    def _population(self, population: spec.Population) -> None:
        path = ("population", population.name)
        own = eqs.parse(population.equations)
        self._variables(own, *path)
        symbols = eqs.population_symbols(self.model, population)
        self._equations(own, symbols, *path)
        self._noise(own, population.integrator, *path)
        variables = {n for n, e in own.items() if e.kind != "subexpression"}
        if population.threshold is not None:
            self._condition(population.threshold, symbols, "threshold", *path, "threshold")
        if population.reset is not None:
            if population.threshold is None:
                self.error(
                    "'reset' without 'threshold' (add threshold = 'v > v_threshold')",
                    *path,
                    "reset",
                )
            self.statements(population.reset, symbols, variables, "reset", *path, "reset")
        if population.refractory is not None:
            if population.threshold is None:
                self.error(
                    "'refractory' without 'threshold' (add threshold = 'v > v_threshold')",
                    *path,
                    "refractory",
                )
            self._refractory(population.refractory, symbols, *path, "refractory")
        self._initial(population.initial, own, symbols, *path)
        for entry in population.regularly:
            self.statements(entry.code, symbols, variables, "regularly", *path, "regularly")
        for name, event in population.events.items():
            self._condition(event.condition, symbols, f"event {name}", *path, "events")
            self.statements(event.action, symbols, variables, f"event {name}", *path, "events")

    def _variables(self, own: dict, *path: str) -> None:
        for name in own:
            if name in self.model.parameters or name in self.model.tables:
                self.error(
                    f"'{name}' is both a variable of '{path[-1]}' and a parameter",
                    *path,
                    "equations",
                    needle=name,
                )

    def _refractory(self, text: str, symbols: eqs.Symbols, *path: str) -> None:
        text = as_expression(text)
        if not self.expression(text, symbols, None, "refractory", *path):
            return
        dims = expressions.dimensions_of(text, symbols)
        if dims is not second.dim and not (dims is DIMENSIONLESS and _CONDITION.search(text)):
            self.error(
                f"refractory '{shown(text)}' is in '{unit_name(dims)}'; it is a time such as"
                " '5 ms' or a condition such as 'v > v_threshold'",
                *path,
            )

    def _equations(self, own: dict, symbols: eqs.Symbols, *path: str) -> None:
        for equation in own.values():
            if equation.expression is None:
                continue
            expected = equation.dimensions
            if equation.kind == "differential":
                expected = expected / second.dim
            if (
                self.expression(
                    equation.expression,
                    symbols,
                    expected,
                    equation.label,
                    *path,
                    "equations",
                    needle=equation.name,
                )
                and equation.noise_terms
            ):
                try:
                    Expression(equation.expression).split_stochastic()
                except (ValueError, SyntaxError, TypeError) as error:
                    self.error(
                        f"{equation.label}: the noise cannot be told from the rest ({error})",
                        *path,
                        "equations",
                        needle=equation.name,
                    )
        stack: dict[str, int] = {}

        def visit(name: str) -> None:
            stack[name] = 1
            for other in expressions.names(own[name].expression or "0"):
                if other in own and own[other].kind == "subexpression":
                    if stack.get(other) == 1:
                        both = f"'{name}' and '{other}' define each other"
                        itself = f"'{name}' is defined by itself (for a rate, write d{name}/dt)"
                        self.error(
                            itself if name == other else both, *path, "equations", needle=name
                        )
                    elif other not in stack:
                        visit(other)
            stack[name] = 2

        for name, equation in own.items():
            if equation.kind == "subexpression" and name not in stack:
                visit(name)

    def _noise(self, own: dict, integrator: str, *path: str) -> None:
        differential = [e for e in own.values() if e.kind == "differential"]
        noises = set().union(*(e.noise_terms for e in own.values()))
        for equation in own.values():
            if equation.noise_terms and equation.kind != "differential":
                self.error(
                    f"noise in '{equation.name}', which is not a differential equation",
                    *path,
                    "equations",
                    needle=equation.name,
                )
        if not differential or all("event-driven" in e.flags for e in differential):
            return
        if integrator not in INTEGRATORS:
            given = f"'{integrator}' is not an integrator" if integrator else "no integrator given"
            self.error(
                f"{given} for '{path[-1]}'{nearest(integrator, INTEGRATORS)}"
                f" (known: {', '.join(INTEGRATORS)})",
                *self._integrator_path(*path),
            )
            return
        if not noises or self.model.noise not in (None, "stratonovich", "ito"):
            return
        if self.model.noise is None:
            self.error(
                "the equations hold noise (xi) but [model] does not say how to read it:"
                " add noise = 'stratonovich' or noise = 'ito'",
                *path,
                "equations",
                needle="xi",
            )
            return
        scheme = INTEGRATORS[integrator]
        if scheme.noise != self.model.noise:
            right = [s.name for s in INTEGRATORS.values() if s.noise == self.model.noise]
            self.error(
                f"integrator '{integrator}' does not converge to the {self.model.noise} solution;"
                f" use {', '.join(right)}",
                *self._integrator_path(*path),
            )
        if len(noises) > 1:
            self.error(
                f"several noises ({', '.join(sorted(noises))}) in '{path[-1]}': '{integrator}'"
                " takes one per population",
                *path,
                "equations",
                needle=sorted(noises)[-1],
            )

    def _integrator_path(self, *path: str) -> tuple[str, ...]:
        own = self.document.tables[path[0]][path[1]]
        given = "integrator" in self.document.tables.get("model", {})
        return (
            ("model", "integrator") if given and "integrator" not in own else (*path, "integrator")
        )

    def _condition(self, text: str, symbols: eqs.Symbols, label: str, *path: str) -> None:
        if self.expression(text, symbols, DIMENSIONLESS, label, *path) and not _CONDITION.search(
            text
        ):
            self.error(
                f"{label} '{shown(text)}' is not a condition such as 'v > v_threshold'", *path
            )

    def _initial(self, initial, own: dict, symbols: eqs.Symbols, *path: str) -> None:
        for name, text in initial.items():
            if name not in own or own[name].kind == "subexpression":
                settable = [n for n, e in own.items() if e.kind != "subexpression"]
                self.error(
                    f"initial value for '{name}', which is not a variable of '{path[-1]}'"
                    f"{nearest(name, settable)}",
                    *path,
                    "initial",
                    name,
                )
                continue
            try:
                found = parse_quantity(text).dimensions
            except UserError:
                self.expression(
                    text, symbols, own[name].dimensions, f"initial {name}", *path, "initial", name
                )
            else:
                if found is not own[name].dimensions:
                    self.error(
                        f"inconsistent units in initial {name}: '{unit_name(found)}' found,"
                        f" '{unit_name(own[name].dimensions)}' expected",
                        *path,
                        "initial",
                        name,
                    )

    def _projection(self, projection: spec.Projection) -> None:
        path = ("projection", projection.name)
        own = eqs.parse(projection.equations)
        self._variables(own, *path)
        symbols = eqs.projection_symbols(self.model, projection)
        target = eqs.endpoint_variables(self.model, projection.target)
        for equation in own.values():
            if "summed" not in equation.flags:
                continue
            name = equation.name.removesuffix("_post")
            fits = equation.name.endswith("_post") and name in target
            if not fits or target[name].kind != "parameter":
                self.error(
                    f"'{equation.name}' is summed but '{projection.target}' declares no variable"
                    f" '{name}' to sum into (add '{name} : unit' there){nearest(name, target)}",
                    *path,
                    "equations",
                    needle=equation.name,
                )
            elif target[name].dimensions is not equation.dimensions:
                self.error(
                    f"inconsistent units: '{equation.name}' is in '{unit_name(equation.dimensions)}'"
                    f" here, '{unit_name(target[name].dimensions)}' in '{projection.target}'",
                    *path,
                    "equations",
                    needle=equation.name,
                )
        self._equations(own, symbols, *path)
        self._noise(
            {n: e for n, e in own.items() if "event-driven" not in e.flags},
            projection.integrator,
            *path,
        )
        assignable = {n for n, e in own.items() if e.kind != "subexpression"}
        for side, endpoint in (("pre", projection.source), ("post", projection.target)):
            for name, e in eqs.endpoint_variables(self.model, endpoint).items():
                if e.kind != "subexpression":
                    assignable |= {f"{name}_{side}"} | ({name} if side == "post" else set())
        for key, codes in (("on_pre", projection.on_pre), ("on_post", projection.on_post)):
            for name, code in codes.items():
                endpoint = projection.source if key == "on_pre" else projection.target
                owner = self.model.populations.get(endpoint.name)
                event = projection.on_event.get(name, "spike")
                fires = owner is not None and (
                    owner.threshold is not None if event == "spike" else event in owner.events
                )
                if not fires:
                    self.error(
                        f"{key} needs the event '{event}', which '{endpoint}' does not have",
                        *path,
                        key,
                    )
                self.statements(code, symbols, assignable, key, *path, key)
        self._delay(projection, symbols, *path, "delay")
        self._initial(projection.initial, own, symbols, *path)
        self._connect(projection, symbols)

    def _delay(self, projection: spec.Projection, symbols: eqs.Symbols, *path: str) -> None:
        pathways = (*projection.on_pre, *projection.on_post)
        for name in {**projection.delay, **projection.on_event}:
            if name not in pathways:
                key = "delay" if name in projection.delay else "on_event"
                known = ", ".join(pathways) or "no on_pre or on_post"
                self.error(
                    f"'{key}' is for '{name}', but '{projection.name}' has {known}"
                    f"{nearest(name, pathways)}",
                    *path[:-1],
                    key,
                )
        for name, text in projection.delay.items():
            fits = self.expression(as_expression(text), symbols, second.dim, f"delay {name}", *path)
            if fits and text.lstrip().startswith("-"):
                self.error(f"delay {name} must not be negative, not '{shown(text)}'", *path)

    def _connect(self, projection: spec.Projection, symbols: eqs.Symbols) -> None:
        path = ("projection", projection.name, "connect")
        connect, populations = projection.connect, self.model.populations
        rule = connect["rule"]
        source, target = (populations.get(e.name) for e in (projection.source, projection.target))
        whole = all(e.start is None for e in (projection.source, projection.target))
        if rule in ("lattice", "footprint", "first-footprint"):
            lattices = source and target and len(source.shape) == len(target.shape) == 2
            if not (whole and source and target and lattices):
                self.error(
                    f"rule '{rule}' needs two whole populations with shape = [rows, columns]", *path
                )
                return
            if rule == "lattice":
                if source is not target:
                    self.error("rule 'lattice' connects a population to itself", *path)
                if connect.get("neighbours", 4) not in (4, 8):
                    self.error("'neighbours' is 4 or 8", *path)
                if connect.get("edges", "zero-flux") != "zero-flux":
                    self.error("'edges' can only be 'zero-flux'", *path)
                return
            for key in ("size", "step"):
                value = connect.get(key)
                if not (
                    isinstance(value, list)
                    and len(value) == 2
                    and all(type(v) is int and v > 0 for v in value)
                ):
                    self.error(f"rule '{rule}' needs {key} = [rows, columns]", *path)
                    return
            watched, watchers = (source, target) if rule == "footprint" else (target, source)
            try:
                geometry.check_footprints(
                    watched.shape, watchers.shape, tuple(connect["size"]), tuple(connect["step"])
                )
            except UserError as error:
                self.error(str(error), *path)
        elif rule == "one-to-one":
            sizes = [self._size(e) for e in (projection.source, projection.target)]
            if None not in sizes and sizes[0] != sizes[1]:
                self.error(f"rule 'one-to-one' joins {sizes[0]} units to {sizes[1]}", *path)
        elif rule == "pairs":
            pairs = connect.get("pairs", [])
            limits = [self._size(e) for e in (projection.source, projection.target)]
            for pair in pairs:
                good = (
                    isinstance(pair, list)
                    and len(pair) == 2
                    and all(
                        type(v) is int and v >= 0 and (m is None or v < m)
                        for v, m in zip(pair, limits, strict=True)
                    )
                )
                if not good:
                    self.error(
                        f"{pair} is not a pair [source, target] within the populations", *path
                    )
                    return
            if not pairs:
                self.error("rule 'pairs' needs pairs = [[source, target], ...]", *path)
        elif rule == "condition":
            if "condition" in connect:
                self._condition(str(connect["condition"]), symbols, "connect condition", *path)
            for key in ("p", "n"):
                if key in connect:
                    self.expression(
                        str(connect[key]), symbols, DIMENSIONLESS, f"connect {key}", *path
                    )

    def _size(self, endpoint: spec.Endpoint) -> int | None:
        if endpoint.start is not None and endpoint.stop is not None:
            return endpoint.stop - endpoint.start
        population = self.model.populations.get(endpoint.name)
        return population.size if population else None

    def _stimulus(self, name: str, stimulus: spec.Stimulus) -> None:
        path = ("stimulus", name)
        population = self.model.populations[stimulus.population]
        own = eqs.parse(population.equations)
        target = own.get(stimulus.variable)
        if target is not None and target.kind != "parameter":
            self.error(
                f"stimulus '{name}' goes into '{stimulus.variable}', which has an equation of"
                f" its own; declare an input such as 'I_app : 1' in '{population.name}'",
                *path,
                "variable",
            )
            return
        if target is None:
            own = {n: e for n, e in own.items() if e.kind == "parameter"}
            self.error(
                f"stimulus '{name}' needs a variable '{stimulus.variable} : unit' in"
                f" '{population.name}'{nearest(stimulus.variable, own)}",
                *path,
                "variable",
            )
            return
        self.expression(
            stimulus.amplitude,
            eqs.base_symbols(self.model),
            target.dimensions,
            f"amplitude of {name}",
            *path,
            "amplitude",
        )
        if stimulus.image is not None and len(population.shape) != 2:
            self.error(
                f"an image needs a lattice; '{population.name}' has no rows and columns",
                *path,
                "image",
            )

    def _record(self, name: str, record: spec.Record) -> None:
        population = self.model.populations[record.population]
        own = eqs.parse(population.equations)
        for variable in record.variables:
            if variable not in own:
                self.error(
                    f"record '{name}' wants '{variable}', which '{population.name}' does"
                    f" not have{nearest(variable, own)} (known: {', '.join(own)})",
                    "record",
                    name,
                    "variables",
                )
        if record.events and population.threshold is None:
            self.error(
                f"record '{name}' wants events, but '{population.name}' has no threshold",
                "record",
                name,
            )

    def _experiment(self) -> None:
        experiment = self.model.experiment
        known = {
            "train": self.model.stimuli,
            "test": self.model.stimuli,
            "population": self.model.populations,
            "glia": self.model.populations,
            "record": self.model.records,
            "spike": self.model.parameters,
        }
        for key, value in experiment.items():
            if key in known and value not in known[key]:
                self.error(
                    f"[experiment] {key} = '{value}' is not in the model"
                    f"{nearest(str(value), known[key])}",
                    "experiment",
                    key,
                )

    def _unused(self) -> None:
        used = eqs.model_parameters(self.model)
        own = self.document.sources[0].tables.get("parameters", {})
        for name in self.model.parameters:
            if name not in used and name in own:
                self.warn(f"parameter '{name}' is never used", "parameters", name)

    def _numerics(self) -> None:
        for population in self.model.populations.values():
            path = ("population", population.name)
            for name, message in stability.noise_problems(self.model, population):
                self.error(message, *path, "equations", needle=name)
            warning = stability.unstable_step(self.model, population)
            if warning:
                owner = (
                    path
                    if "dt" in self.document.tables["population"][population.name]
                    else ("model",)
                )
                self.warn(warning, *owner, "dt")


def describe(findings: Iterable[Finding]) -> str:
    """One line each."""
    return "\n".join(str(f) for f in findings)
