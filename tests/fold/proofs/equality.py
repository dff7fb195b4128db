"""Two expressions are the same for all numbers: expanded by sympy, or decided by z3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy
import z3

from tests.fold.proofs.symbols import Symbols

_LIMIT_MS = 60_000


def assert_same(found: Symbols, wanted: Symbols, given: Sequence[sympy.Basic] = ()) -> None:
    """Entry by entry, under what is assumed of the symbols and what is given beside.

    A proof that neither brings about fails: with the numbers for which the two differ, or because
    the solver gave up.
    """
    found, wanted = np.asarray(found, dtype=object), np.asarray(wanted, dtype=object)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    for place in np.ndindex(found.shape):
        difference = _rational(sympy.sympify(found[place]) - sympy.sympify(wanted[place]))
        if difference == 0 or sympy.expand(difference) == 0:
            continue
        is_smooth = not difference.has(sympy.Max, sympy.Min, sympy.Abs, sympy.Piecewise)
        if is_smooth and sympy.simplify(difference) == 0:
            continue
        counter = _counterexample(difference, given)
        assert counter is None, f"entry {place}: {found[place]} is not {wanted[place]}: {counter}"


def _rational(expression: sympy.Expr) -> sympy.Expr:
    """Floating constants of the graph as the fractions that they are."""
    exact = {f: sympy.Rational(float(f)) for f in expression.atoms(sympy.Float)}
    return expression.xreplace(exact)


def _counterexample(difference: sympy.Expr, given: Sequence[sympy.Basic]) -> str | None:
    solver = z3.Solver()
    solver.set("timeout", _LIMIT_MS)
    names: dict[sympy.Symbol, z3.ArithRef] = {}
    solver.add(_to_z3(difference, names) != 0)
    for condition in given:
        solver.add(_condition(condition, names))
    for symbol, variable in names.items():
        if symbol.is_positive:
            solver.add(variable > 0)
        elif symbol.is_negative:
            solver.add(variable < 0)
        elif symbol.is_nonnegative:
            solver.add(variable >= 0)
        elif symbol.is_nonzero:
            solver.add(variable != 0)
    answer = solver.check()
    if answer == z3.unsat:
        return None
    return f"{solver.model()}" if answer == z3.sat else f"undecided: {solver.reason_unknown()}"


def _condition(condition: sympy.Basic, names: dict[sympy.Symbol, z3.ArithRef]) -> z3.BoolRef:
    left, right = (_to_z3(side, names) for side in condition.args)
    return {
        sympy.StrictGreaterThan: left > right,
        sympy.GreaterThan: left >= right,
        sympy.StrictLessThan: left < right,
        sympy.LessThan: left <= right,
    }[type(condition)]


def _to_z3(expression: sympy.Basic, names: dict[sympy.Symbol, z3.ArithRef]) -> z3.ArithRef:
    if isinstance(expression, sympy.Symbol):
        return names.setdefault(expression, z3.Real(expression.name))
    if isinstance(expression, sympy.Rational):
        return z3.RealVal(f"{expression.p}/{expression.q}")
    if isinstance(expression, sympy.Piecewise):
        return _pieces(expression, names)
    parts = [_to_z3(part, names) for part in expression.args]
    if isinstance(expression, sympy.Add):
        return z3.Sum(parts)
    if isinstance(expression, sympy.Mul):
        return z3.Product(parts)
    if isinstance(expression, sympy.Pow):
        return _power(parts[0], int(expression.exp))
    if isinstance(expression, sympy.Abs):
        return z3.If(parts[0] >= 0, parts[0], -parts[0])
    if isinstance(expression, sympy.Max | sympy.Min):
        result = parts[0]
        for part in parts[1:]:
            is_larger = part > result
            result = z3.If(
                is_larger if isinstance(expression, sympy.Max) else part < result, part, result
            )
        return result
    raise NotImplementedError(type(expression).__name__)


def _power(base: z3.ArithRef, exponent: int) -> z3.ArithRef:
    product = z3.Product([base] * abs(exponent))
    return product if exponent > 0 else 1 / product


def _pieces(expression: sympy.Piecewise, names: dict[sympy.Symbol, z3.ArithRef]) -> z3.ArithRef:
    pieces = list(expression.args)
    result = _to_z3(pieces[-1].expr, names)
    for piece in reversed(pieces[:-1]):
        result = z3.If(_condition(piece.cond, names), _to_z3(piece.expr, names), result)
    return result
