"""Statements on the rules that let an affine pass."""

from __future__ import annotations

from tests.fold.proofs.case import Case, both

_SAME = tuple(
    case
    for op in ("Identity", "Dropout")
    for case in both(
        Case("same", f"(float[2,3] x) => (float[2,3] y) {{ y = {op}(x) }}", {0: (1, 3)})
    )
)
_LAYOUTS = (
    ("(float[2,3,2] x) => (float[2,2,3] y) { y = Transpose<perm = [2, 0, 1]>(x) }", (2, 1, 3), (2, 3, 1), {}),
    ("(float[2,3,2] x) => (float[2,3,2] y) { y = Transpose(x) }", (2, 3, 1), (1, 3, 2), {}),
    ("(float[1,4,3] x) => (float[1,2,2,3] y) { y = Reshape(x, i) }", (1, 2, 2, 1), (1, 4, 1), {"i": (1, 2, 2, 3)}),
    ("(float[1,2,2,3] x) => (float[1,4,3] y) { y = Reshape(x, i) }", (1, 4, 1), (1, 2, 2, 1), {"i": (1, 4, 3)}),
    ("(float[1,2,6] x) => (float[1,2,2,3] y) { y = Reshape(x, i) }", (1, 2, 1, 1), (1, 2, 1), {"i": (0, 0, 2, 3)}),
    ("(float[2,3,2] x) => (float[2,6] y) { y = Flatten(x) }", (1, 6), (1, 3, 1), {}),
    ("(float[2,3,1] x) => (float[2,3] y) { y = Squeeze(x, i) }", (1, 3), (1, 3, 1), {"i": (2,)}),
    ("(float[2,3] x) => (float[2,1,3] y) { y = Unsqueeze(x, i) }", (1, 1, 3), (1, 3), {"i": (1,)}),
    ("(float[1,4,1,1] x) => (float[1,1,2,2] y) { y = DepthToSpace<blocksize = 2>(x) }", (1, 1, 1, 1), (1, 1, 1, 1), {}),
    ("(float[1,8,1,1] x) => (float[1,2,2,2] y) { y = DepthToSpace<blocksize = 2, mode = \"CRD\">(x) }", (1, 2, 1, 1), None, {}),
    ("(float[1,8,1,1] x) => (float[1,2,2,2] y) { y = DepthToSpace<blocksize = 2>(x) }", (1, 2, 1, 1), None, {}),
    ("(float[1,2,2,2] x) => (float[1,8,1,1] y) { y = SpaceToDepth<blocksize = 2>(x) }", (1, 1, 1, 1), (1, 2, 1, 1), {}),
    ("(float[1,2,2,2] x) => (float[1,8,1,1] y) { y = SpaceToDepth<blocksize = 2, mode = \"CRD\">(x) }", None, (1, 2, 1, 1), {"opset": 28}),
)  # fmt: skip
_LAYOUT = tuple(
    Case(
        "layout",
        text,
        {0: extents},
        integers={k: v for k, v in integers.items() if k != "opset"},
        backward=backward,
        opset=integers.get("opset", 18),
    )
    for text, behind, before, integers in _LAYOUTS
    for extents, backward in ((behind, True), (before, False))
    if extents is not None
)
_SELECTED = tuple(
    Case("select", text, {0: extents}, integers=integers, backward=backward)
    for text, behind, before, integers in (
        ("(float[1,5,2] x) => (float[1,2,2] y) { y = Slice(x, i, j, k, l) }", (1, 2, 1), (1, 5, 1), {"i": (1,), "j": (5,), "k": (1,), "l": (2,)}),
        ("(float[1,5,2] x) => (float[1,3,2] y) { y = Slice(x, i, j, k, l) }", (1, 3, 1), (1, 5, 1), {"i": (-1,), "j": (-9,), "k": (1,), "l": (-2,)}),
        ("(float[1,3,4] x) => (float[1,3,2] y) { y = Slice(x, i, j, k, l) }", (1, 3, 1), (1, 3, 1), {"i": (1,), "j": (3,), "k": (2,), "l": (1,)}),
        ("(float[1,4,2] x) => (float[1,3,2] y) { y = Gather<axis = 1>(x, i) }", (1, 3, 1), (1, 4, 1), {"i": (3, 0, 1)}),
        ("(float[1,4,2] x) => (float[1,2,2,2] y) { y = Gather<axis = 1>(x, i) }", (1, 2, 2, 1), (1, 4, 1), {"i": ((3, 0), (1, 2))}),
        ("(float[1,3,4] x) => (float[1,3,2] y) { y = Gather<axis = 2>(x, i) }", (1, 3, 1), (1, 3, 1), {"i": (-1, 0)}),
    )
    for extents, backward in ((behind, True), (before, False))
)  # fmt: skip
_PARTS = (
    Case("split", "(float[1,5,2] x) => (float[1,2,2] y, float[1,3,2] z) { y, z = Split<axis = 1>(x, i) }", {0: (1, 2, 1), 1: (1, 3, 1)}, integers={"i": (2, 3)}),
    Case("split", "(float[1,5,2] x) => (float[1,2,2] y, float[1,3,2] z) { y, z = Split<axis = 1>(x, i) }", {1: (1, 3, 1)}, integers={"i": (2, 3)}),
    Case("split", "(float[1,3,4] x) => (float[1,3,2] y, float[1,3,2] z) { y, z = Split<axis = 2>(x, i) }", {0: (1, 3, 1)}, integers={"i": (2, 2)}),
    Case("split", "(float[1,5,2] x) => (float[1,2,2] y, float[1,3,2] z) { y, z = Split<axis = 1>(x, i) }", {0: (1, 5, 1)}, integers={"i": (2, 3)}, backward=False),
    Case("split", "(float[1,3,4] x) => (float[1,3,2] y, float[1,3,2] z) { y, z = Split<axis = 2>(x, i) }", {0: (1, 3, 1)}, integers={"i": (2, 2)}, backward=False),
    Case("concat", "(float[1,2,2] x, float[1,1,2] z) => (float[1,3,2] y) { y = Concat<axis = 1>(x, z) }", {0: (1, 3, 1)}),
    Case("concat", "(float[1,2,2] x, float[1,2,1] z) => (float[1,2,3] y) { y = Concat<axis = 2>(x, z) }", {0: (1, 2, 1)}),
    Case("concat", "(float[1,2,2] x, float[1,1,2] z) => (float[1,3,2] y) { y = Concat<axis = 1>(x, z) }", {0: (1, 2, 1), 1: (1, 1, 1)}, backward=False),
    Case("concat", "(float[1,2,2] x, float[1,1,2] z) => (float[1,3,2] y) { y = Concat<axis = 1>(x, z) }", {1: (1, 1, 1)}, backward=False),
    Case("concat", "(float[1,2,2] x, float[1,2,1] z) => (float[1,2,3] y) { y = Concat<axis = 2>(x, z) }", {0: (1, 2, 1)}, backward=False),
)  # fmt: skip
_RECTIFIED = (
    *(case for op in ("Relu(x)", "LeakyRelu(x)", "LeakyRelu<alpha = -0.5>(x)", "PRelu(x, c)", "Abs(x)", "Clip(x, lo)")
      for case in both(Case("rectify", f"(float[1,2,2] x) => (float[1,2,2] y) {{ lo = Constant<value_float = 0.0>() y = {op} }}", {0: (1, 2, 1)}, {"c": (2, 1)}, shift=False, positive=True))),
    Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = Relu(x) }", {0: (1, 2, 1)}, positive=True),
    Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = Relu(x) }", {0: (1, 2, 1)}, negative=True),
    Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = Relu(x) }", {0: (1, 2, 1)}, positive=True, backward=False),
    Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = Relu(x) }", {0: (1, 2, 1)}, negative=True, backward=False),
    *both(Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = LeakyRelu<alpha = 0.25>(x) }", {0: (1, 1, 1)}, shift=False, negative=True)),
    *both(Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = PRelu(x, c) }", {0: (1, 2, 1)}, {"c": (2, 1)}, shift=False, negative=True, assumed={"c": "a slope"})),
    Case("rectify", "(float[1,2,2] x) => (float[1,2,2] y) { y = Abs(x) }", {0: (1, 2, 1)}, shift=False, negative=True, backward=False),
)  # fmt: skip
_P = "(float[1,2,4] x) => (float[1,2,P] y)"
_POOLS = tuple(
    case
    for op, shift, positive in (
        ("MaxPool<kernel_shape = [2], strides = [2]>(x)", True, True),
        ("MaxPool<kernel_shape = [3], pads = [1, 1]>(x)", True, True),
        ("AveragePool<kernel_shape = [2]>(x)", True, False),
        ("AveragePool<kernel_shape = [3], pads = [1, 1]>(x)", True, False),
        ("AveragePool<kernel_shape = [3], pads = [1, 1], count_include_pad = 1>(x)", False, False),
        ("GlobalMaxPool(x)", True, True),
        ("GlobalAveragePool(x)", True, False),
    )
    for case in both(
        Case("pool", f"{_P} {{ y = {op} }}", {0: (1, 2, 1)}, shift=shift, positive=positive)
    )
)
_REDUCED = tuple(
    case
    for op, shift, sign in (
        ("ReduceMean", True, {}),
        ("ReduceSum", True, {}),
        ("ReduceMax", True, {"positive": True}),
        ("ReduceMin", True, {"positive": True}),
        ("ReduceMax", True, {"negative": True}),
        ("ReduceMin", True, {"negative": True}),
        ("ReduceL1", False, {"positive": True}),
        ("ReduceL2", False, {"positive": True}),
    )
    for keep, behind in ((1, (1, 2, 1)), (0, (1, 2)))
    for extents, backward in ((behind, True), ((1, 2, 1), False))
    for case in (
        Case(
            "norm" if op in ("ReduceL1", "ReduceL2") else "reduce",
            f"(float[1,2,3] x) => (float[{'1,2,1' if keep else '1,2'}] y) {{ y = {op}<keepdims = {keep}>(x, i) }}",
            {0: extents},
            integers={"i": (2,)},
            shift=shift,
            backward=backward,
            opset=18,
            **sign,
        ),
    )
)  # fmt: skip
_NORMS = tuple(
    case
    for op in ("LpPool<kernel_shape = [2], p = 1>(x)", "GlobalLpPool<p = 1>(x)")
    for case in both(Case("norm", f"{_P} {{ y = {op} }}", {0: (1, 2, 1)}, shift=False, positive=True))
) + (Case("norm", f"{_P} {{ y = GlobalLpPool<p = 1>(x) }}", {0: (1, 2, 1)}, shift=False, negative=True, backward=False),)  # fmt: skip
_POWERS = (
    Case("power", "(float[1,2,2] x) => (float[1,2,2] y) { y = Sqrt(x) }", {0: (1, 2, 1)}, shift=False, positive=True, backward=False),
    *(Case("power", f"(float[1,2,2] x) => (float[1,2,2] y) {{ e = Constant<value_float = {p}>() y = Pow(x, e) }}", {0: (1, 2, 1)}, shift=False, backward=backward, **sign)
      for p, backward, sign in ((2.0, True, {"positive": True}), (2.0, False, {}), (3.0, False, {"negative": True}), (3.0, True, {"negative": True}), (3.0, True, {"positive": True}), (1.5, False, {"positive": True}))),
)  # fmt: skip
_SPACE = (
    *both(Case("resize", "(float[1,2,3] x) => (float[1,2,2] y) { e = Constant<value_floats = [1.0, 1.0, 0.7]>() y = Resize(x, , e) }", {0: (1, 2, 1)})),
    *both(Case("resize", "(float[1,2,3] x) => (float[1,2,6] y) { e = Constant<value_floats = [1.0, 1.0, 2.0]>() y = Upsample(x, e) }", {0: (1, 2, 1)}, opset=9)),
    *both(Case("sample", "(float[1,2,3,1] x, float[1,1,2,2] g) => (float[1,2,1,2] y) { y = GridSample<padding_mode = \"border\">(x, g) }", {0: (1, 2, 1, 1)}, opset=20)),
    *(case for mode in ("reflect", "edge") for case in both(Case("pad", f"(float[1,2,3] x) => (float[1,2,6] y) {{ y = Pad<mode = \"{mode}\">(x, i) }}", {0: (1, 2, 1)}, integers={"i": (0, 0, 1, 0, 0, 2)}))),
    *both(Case("pad", "(float[1,2,3] x) => (float[1,2,6] y) { y = Pad(x, i) }", {0: (1, 2, 1)}, integers={"i": (0, 0, 1, 0, 0, 2)}, shift=False)),
    *both(Case("pad", "(float[1,2,3] x) => (float[1,2,2] y) { y = Pad(x, i) }", {0: (1, 2, 1)}, integers={"i": (0, 0, -1, 0, 0, 0)})),
    Case("pad", "(float[1,2,3] x) => (float[1,2,6] y) { v = Constant<value_float = 1.5>() y = Pad(x, i, v) }", {0: (1, 1, 1)}, integers={"i": (0, 0, 1, 0, 0, 2)}),
    Case("pad", "(float[1,2,3] x) => (float[1,2,6] y) { v = Constant<value_float = 1.5>() y = Pad(x, i, v) }", {0: (1, 1, 1)}, integers={"i": (0, 0, 1, 0, 0, 2)}, backward=False),
    Case("pad", "(float[1,2,3] x) => (float[1,4,3] y) { y = Pad(x, i) }", {0: (1, 2, 1)}, integers={"i": (0, 1, 0, 0, 1, 0)}, backward=False),
)  # fmt: skip
_U = "(float[1,2,2] x) => (float[1,2,4] y)"
_ORDERED = (
    *both(Case("reorder", "(float[3,1,2] x) => (float[3,1,2] y) { y = ReverseSequence<time_axis = 0, batch_axis = 1>(x, i) }", {0: (1, 1, 2)}, integers={"i": (2,)})),
    *both(Case("reorder", "(float[1,2,3] x) => (float[1,2,2] y) { y = GatherElements<axis = 2>(x, i) }", {0: (1, 2, 1)}, integers={"i": (((2, 0), (1, 1)),)})),
    *both(Case("reorder", "(float[1,2,3] x) => (float[1,2,2] y) { y = Compress<axis = 2>(x, i) }", {0: (1, 2, 1)}, integers={"i": (1, 0, 1)})),
    *both(Case("sample", f"{_U} {{ y = MaxUnpool<kernel_shape = [2], strides = [2]>(x, i) }}", {0: (1, 2, 1)}, integers={"i": (((1, 2), (4, 7)),)}, shift=False)),
    *both(Case("sample", f"{_U} {{ y = MaxUnpool<kernel_shape = [2], strides = [2]>(x, i) }}", {0: (1, 1, 1)}, integers={"i": (((1, 6), (4, 3)),)}, shift=False)),
    *(case for pool, places in (("kernel_shape = [2], strides = [2]", ((0, 3), (5, 6))), ("kernel_shape = [3], strides = [2], pads = [1, 1]", ((1, 1), (4, 6))))
      for case in both(Case("sample", f"(float[1,2,4] v) => (float[1,2,4] y) {{ x, i = MaxPool<{pool}>(v) y = MaxUnpool<kernel_shape = [2], strides = [2]>(x, i) }}", {0: (1, 2, 1)}, computed={"i": (places,)}, shift=False))),
    *both(Case("cumsum", "(float[1,2,3] x) => (float[1,2,3] y) { y = CumSum(x, i) }", {0: (1, 2, 1)}, integers={"i": 2}, shift=False)),
    *both(Case("repeat", "(float[1,2,1] x) => (float[1,2,3] y) { y = Expand(x, i) }", {0: (1, 2, 1)}, integers={"i": (1, 2, 3)})),
    *both(Case("repeat", "(float[1,2,2] x) => (float[1,2,4] y) { y = Tile(x, i) }", {0: (1, 2, 1)}, integers={"i": (1, 1, 2)})),
    Case("repeat", "(float[1,2,2] x) => (float[1,4,2] y) { y = Tile(x, i) }", {0: (1, 2, 1)}, integers={"i": (1, 2, 1)}, backward=False),
)  # fmt: skip
_TYPES = tuple(
    case
    for text in (
        "(float[1,2] x) => (float[1,2] y) { y = Cast<to = 1>(x) }",
        "(float[1,2] x) => (float16[1,2] y) { y = Cast<to = 10>(x) }",
        "(float[1,2] x, float[1] z) => (float[1,2] y) { y = CastLike(x, z) }",
    )
    for case in both(Case("cast", text, {0: (1, 2)}, positive=True))
    if case.backward or "float16" not in text
)
CASES = (
    *_TYPES,
    *_SAME,
    *_LAYOUT,
    *_SELECTED,
    *_PARTS,
    *_RECTIFIED,
    *_POOLS,
    *_REDUCED,
    *_NORMS,
    *_POWERS,
    *_SPACE,
    *_ORDERED,
)
