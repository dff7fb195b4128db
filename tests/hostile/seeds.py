"""Valid models to start from: every motif, and one with functions, branches, loops and text."""

from __future__ import annotations

import onnx
import onnx.parser

from benchmarks.motifs import GROUPS

_EVERYTHING = """
<ir_version: 10, opset_import: ["": 18, "own": 1], producer_name: "maker",
 metadata_props: ["author": "me"]>
main (float[batch, 4, 6, 6] x, bool flag, int64 count) => (float[batch, 4, 6, 6] y, float[2] z)
<float[4] s = {0.5, 1.5, 2.5, 3.5}, float[4] b = {0.1, 0.2, 0.3, 0.4},
 float[4] m = {0.0, 0.1, 0.0, 0.2}, float[4] v = {1.0, 1.1, 1.2, 0.9}, int64[2] two = {2, 3},
 float[4, 4, 1, 1] w = {1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0,
 1.0}>
{
  c = Conv <kernel_shape = [1, 1]> (x, w)
  n = BatchNormalization (c, s, b, m, v)
  t = own.twice <times = 2.0> (n)
  a = If (flag) <
    then_branch = yes () => (float[batch, 4, 6, 6] p) { p = Add (t, n) },
    else_branch = no () => (float[batch, 4, 6, 6] q) { q = Relu (t) }
  >
  k = Constant <value_int = 1> ()
  true = Constant <value = bool {1}> ()
  l = Loop (two_times, true, a) <
    body = body (int64 i, bool going, float[batch, 4, 6, 6] held)
      => (bool still, float[batch, 4, 6, 6] next)
    { still = Identity (going) next = Mul (held, one) }
  >
  y = Softmax <axis = 1> (l)
  e = ConstantOfShape <value = float[1] {3.0}> (shape)
  z = Expand (e, shape)
}
<opset_import: ["": 18], domain: "own", doc_string: "twice or more">
twice <times> (a) => (b) { c = Constant <value_float: float = @times> () b = Mul (a, c) }
"""


def everything() -> onnx.ModelProto:
    """One small model with functions, branches, a loop and computed constants."""
    model = onnx.parser.parse_model(_EVERYTHING.replace("two_times", "trips"))
    for name, values, kind in (
        ("trips", [2], onnx.TensorProto.INT64),
        ("one", [1.0], onnx.TensorProto.FLOAT),
        ("shape", [2], onnx.TensorProto.INT64),
    ):
        dims = [] if name == "trips" else [len(values)]
        model.graph.initializer.append(onnx.helper.make_tensor(name, kind, dims, values))
    return model


def seeds() -> list[tuple[str, onnx.ModelProto]]:
    """All of them by name; the first one is the largest and drawn most often."""
    motifs = [(motif.name, motif.model()) for group in GROUPS.values() for motif in group]
    return [("everything", everything()), *motifs]
