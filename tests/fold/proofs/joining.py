"""Statements on the rules of operators with several run-time operands."""

from __future__ import annotations

from tests.fold.proofs.case import Case, both

_TWO = "(float[1,2,2] x, float[1,2,2] z) => (float[1,2,2] y)"
_SUMS = tuple(
    case
    for op in ("Add(x, z)", "Sub(x, z)", "Sum(x, z)", "Mean(x, z)", "Add(x, x)")
    for shift in (True, False)
    for case in (
        Case("sum", f"{_TWO} {{ y = {op} }}", {0: (1, 2, 1)}, shift=shift),
        Case("sum", f"{_TWO} {{ y = {op} }}", {0: (1, 2, 1)}, shift=shift, backward=False),
    )
    if not ("x, x" in op and not case.backward)
) + (
    Case("sum", f"{_TWO} {{ y = Sub(x, z) }}", {1: (1, 2, 1)}, backward=False),
    Case("sum", f"{_TWO} {{ y = Add(x, z) }}", {0: (1, 2, 1), 1: (1, 2, 1)}, backward=False),
    Case("sum", "(float[1,2,2] x, float[2,1] z) => (float[1,2,2] y) { y = Add(x, z) }", {0: (1, 2, 1)}),
    Case("sum", "(float[1,2,2] x, float[2,1] z) => (float[1,2,2] y) { y = Add(x, z) }", {0: (1, 2, 1)}, backward=False),
)  # fmt: skip
_FACTORS = tuple(
    case
    for op in ("Mul", "Div")
    for case in (
        Case("product", f"{_TWO} {{ y = {op}(x, z) }}", {0: (1, 2, 1)}, shift=False),
        Case("product", f"{_TWO} {{ y = {op}(x, z) }}", {0: (1, 2, 1)}, shift=False, backward=False),
        Case("product", f"{_TWO} {{ y = {op}(x, z) }}", {0: (1, 2, 1)}, shift=False, positive=True),
        *(Case("product", f"{_TWO} {{ y = {op}(x, z) }}", extents, shift=False, backward=False)
          for extents in ({1: (1, 2, 1)}, {0: (1, 2, 1), 1: (1, 2, 1)}) if op == "Mul"),
    )
)  # fmt: skip
# what divides has the scale of the product right before it: s1 is what `affine` calls that of input 1
_DIVISORS = tuple(
    Case("product", f"{_TWO} {{ d = Mul(z, s1) y = Div(x, d) }}", extents, {"s1": shape}, assumed={"s1": "positive"}, shift=False, positive=True, backward=False)
    for shape in ((1, 2, 1), (1, 1, 1), (1, 1, 2))
    for extents in ({1: shape}, {0: (1, 2, 1), 1: shape})
)  # fmt: skip
_CHOICES = tuple(
    case
    for op in ("Max", "Min")
    for case in (
        Case("choice", f"{_TWO} {{ y = {op}(x, z) }}", {0: (1, 2, 1)}, positive=True),
        Case("choice", f"{_TWO} {{ y = {op}(x, z) }}", {0: (1, 2, 1)}, positive=True, backward=False),
        Case("choice", f"{_TWO} {{ y = {op}(x, c) }}", {0: (1, 2, 1)}, {"c": (2, 1)}, positive=True, backward=False),
    )
) + (
    Case("product", "(float[1,2,2] x) => (float[1,2,2] y) { y = Mul(x, x) }", {0: (1, 2, 1)}, shift=False, positive=True),
    Case("choice", "(bool[1,2,2] k, float[1,2,2] x, float[1,2,2] z) => (float[1,2,2] y) { y = Where(k, x, z) }", {0: (1, 2, 1)}),
    Case("choice", "(bool[1,2,2] k, float[1,2,2] x, float[1,2,2] z) => (float[1,2,2] y) { y = Where(k, x, z) }", {1: (1, 2, 1)}, backward=False),
    Case("choice", "(bool[1,2,2] k, float[1,2,2] x) => (float[1,2,2] y) { y = Where(k, x, c) }", {1: (1, 2, 1)}, {"c": ()}, backward=False),
)  # fmt: skip
_NEGATED = both(
    Case("negate", "(float[1,2,2] x) => (float[1,2,2] y) { y = Neg(x) }", {0: (1, 2, 1)})
)
_CONTRACTED = (
    Case("contraction", "(float[2,3] x, float[3,2] z) => (float[2,2] y) { y = MatMul(x, z) }", {0: (1, 2)}, shift=False),
    Case("contraction", "(float[2,3] x, float[3,2] z) => (float[2,2] y) { y = MatMul(x, z) }", {0: (2, 1)}, shift=False),
    Case("contraction", "(float[2,3] x, float[3,2] z) => (float[2,2] y) { y = MatMul(x, z) }", {0: (2, 1)}, shift=False, backward=False),
    Case("contraction", "(float[2,3] x, float[3,2] z) => (float[2,2] y) { y = MatMul(x, z) }", {1: (1, 2)}, shift=False, backward=False),
    Case("contraction", "(float[2,3] x, float[3,2] z) => (float[2,2] y) { y = MatMul(x, z) }", {0: (2, 1), 1: (1, 2)}, shift=False, backward=False),
    Case("contraction", "(float[2,3] x) => (float[2,2] y) { y = Einsum<equation = \"ij,jk->ik\">(x, w) }", {0: (1, 2)}, {"w": (3, 2)}, shift=False),
    Case("contraction", "(float[2,3] x) => (float[2,2] y) { y = Einsum<equation = \"ij,jk->ik\">(x, w) }", {0: (1, 3)}, {"w": (3, 2)}, backward=False),
    Case("contraction", "(float[2,3] x) => (float[3,2] y) { y = Einsum<equation = \"ij->ji\">(x) }", {0: (3, 1)}),
    Case("contraction", "(float[2,3] x) => (float[3,2] y) { y = Einsum<equation = \"ij->ji\">(x) }", {0: (2, 1)}, backward=False),
)  # fmt: skip
_IF = "(bool c, float[1,2,2] x) => (float[1,2,2] y) { y = If(c) <then_branch = t () => (float[1,2,2] u) { u = Relu(x) }, else_branch = e () => (float[1,2,2] v) { v = Neg(x) }> }"
_IF_OF_TWO = "(bool c, float[1,2,2] x) => (float[1,2,2] y, float[2] z) { y, z = If(c) <then_branch = t () => (float[1,2,2] u, float[2] p) { u = Relu(x) p = Identity(k) }, else_branch = e () => (float[1,2,2] v, float[2] q) { v = Neg(x) q = Neg(k) }> }"
_TAKEN = (
    Case("if", _IF, {0: (1, 2, 1)}),
    Case("if", _IF, {1: (1, 2, 1)}, backward=False),
    Case("if", _IF, {2: (1, 2, 1)}, backward=False),
    Case("if", _IF_OF_TWO, {0: (1, 2, 1)}, {"k": (2,)}),
    Case("if", _IF_OF_TWO, {1: (1, 2, 1)}, {"k": (2,)}, backward=False),
)  # fmt: skip
_SCAN = "(float[2,2] x, float[2,2,2] z) => (float[2,2] v, float[2,2,2] y) {{ v, y = Scan<num_scan_inputs = 1, {} body = t (float[2,2] h, float[2,2] s) => (float[2,2] n, float[2,2] u) {{ n = Neg(h) u = Add(n, s) }}>(x, z) }}"
_LOOP = "(bool c, float[2,2] x) => (float[N,2,2] y) { y = Loop(n, c) <body = t (int64 i, bool g) => (bool on, float[2,2] u) { on = Identity(g) u = Neg(x) }> }"
_TURNS = tuple(
    case
    for axes, stacked, turn in (
        ("", (1, 2, 1), (2, 1)),
        ("scan_output_axes = [1],", (2, 1, 2), (2, 2)),
        ("scan_output_axes = [-1],", (1, 2, 1), (1, 2)),
    )
    for case in (
        Case("scan", _SCAN.format(axes), {1: stacked}),
        Case("scan", _SCAN.format(axes), {2: turn}, backward=False),
    )
) + (
    Case("scan", _LOOP, {0: (1, 2, 1)}, integers={"n": 2}),
    Case("scan", _LOOP, {2: (1, 2)}, integers={"n": 2}, backward=False),
)  # fmt: skip
_FORGOTTEN = (
    Case("forgets", "(float[2,3] x) => (float[2,3] y) { y = Softmax<axis = 1>(x) }", {0: (2, 1)}, backward=False),
    Case("forgets", "(float[2,3] x) => (float[2,3] y) { y = LogSoftmax<axis = 1>(x) }", {0: (2, 1)}, backward=False),
    Case("forgets", "(float[1,2,3] x) => (float[1,2,3] y) { y = InstanceNormalization(x, g, b) }", {0: (1, 2, 1)}, {"g": (2,), "b": (2,)}, backward=False),
    Case("forgets", "(float[2,3] x) => (float[2,3] y) { y = LayerNormalization<axis = -1>(x, g, b) }", {0: (2, 1)}, {"g": (3,), "b": (3,)}, backward=False),
    Case("forgets", "(float[1,2,2] x) => (float[1,2,2] y) { y = GroupNormalization<num_groups = 1>(x, g, b) }", {0: (1, 1, 1)}, {"g": (2,), "b": (2,)}, backward=False, opset=21),
)  # fmt: skip
CASES = (
    *_SUMS,
    *_FACTORS,
    *_DIVISORS,
    *_CHOICES,
    *_NEGATED,
    *_CONTRACTED,
    *_TAKEN,
    *_TURNS,
    *_FORGOTTEN,
)
