"""Rows of tables are drawn whatever reads them, or it is said which were not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bnfold

ROWS = 200
TABLE = np.random.default_rng(1).normal(size=(ROWS, 8)).astype(np.float32)
OTHER = np.random.default_rng(2).normal(size=(ROWS, 8)).astype(np.float32)


def table(row: int | None = None) -> np.ndarray:
    """The table; with a row, that one is off by a tenth."""
    found = TABLE.copy()
    if row is not None:
        found[row] *= 1.1
    return found


def model(nodes, inputs, *, opset=17, **weights) -> onnx.ModelProto:
    made = [
        helper.make_node(kind, reads.split(), ["y", *more], domain=domain, **attributes)
        if not isinstance(kind, tuple)
        else helper.make_node(kind[0], reads.split(), [kind[1]], domain=domain, **attributes)
        for kind, reads, domain, attributes, *more in nodes
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(w), name) for name, w in weights.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


IDS = [("ids", TensorProto.INT64, ["n", "s"])]


def rotary(t):
    inputs = [("x", TensorProto.FLOAT, ["n", 2, "s", 16]), *IDS]
    return model([("RotaryEmbedding", "x c s ids", "", {})], inputs, opset=23, c=t, s=OTHER)


def contributed_rotary(t):
    inputs = [("x", TensorProto.FLOAT, ["n", "s", 16]), *IDS]
    nodes = [("RotaryEmbedding", "x ids c s", "com.microsoft", {})]
    return model(nodes, inputs, c=t, s=OTHER)


def embedded(t):
    ids = [("ids", TensorProto.INT32, ["n", "s"])]
    one = np.ones(8, np.float32)
    node = helper.make_node(
        "EmbedLayerNormalization",
        ["ids", "", "t", "p", "", "one", "zero"],
        ["y", "mask"],
        domain="com.microsoft",
    )
    found = model([], ids, t=t, p=OTHER, one=one, zero=0 * one)
    found.graph.node.append(node)
    return found


def quantised(t):
    steps = np.clip(np.round(t * 3) + 8, 0, 15).astype(np.uint8).repeat(4, axis=1)
    packed = steps[:, ::2] | (steps[:, 1::2] << 4)
    how = {"block_size": 16, "gather_axis": 0, "quantize_axis": 1, "bits": 4}
    nodes = [("GatherBlockQuantized", "q ids scale", "com.microsoft", how)]
    return model(nodes, IDS, opset=21, q=packed, scale=np.ones((ROWS, 2), np.float32))


def by_elements(t):
    """One column of the table, and a batch that is 1."""
    ids = [("ids", TensorProto.INT64, [1, "s"])]
    return model([("GatherElements", "t ids", "", {"axis": 1})], ids, t=t[:, 0].reshape(1, -1))


def by_real_numbers(t):
    nodes = [
        (("Cast", "i"), "f", "", {"to": TensorProto.INT64}),
        (("Clip", "c"), "i least most", "", {}),
        ("Gather", "t c", "", {}),
    ]
    inputs = [("f", TensorProto.FLOAT, ["n", "s"])]
    return model(nodes, inputs, t=t, least=np.int64(0), most=np.int64(ROWS - 1))


def features(t):
    """ai.onnx.ml has one that reads along the last axis, of one list of indices."""
    ids = [("ids", TensorProto.INT64, ["s"])]
    found = model([("ArrayFeatureExtractor", "t ids", "ai.onnx.ml", {})], ids, t=t.T.copy())
    found.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return found


LENGTH = [(("Shape", "shape"), "x", "", {}), (("Gather", "length"), "shape one", "", {})]
LONG = [("x", TensorProto.FLOAT, ["n", "s", 8])]


def positions(t):
    nodes = [
        *LENGTH,
        (("Range", "p"), "zero length one", "", {}),
        (("Gather", "e"), "t p", "", {}),
        ("Add", "x e", "", {}),
    ]
    return model(nodes, LONG, t=t, one=np.int64(1), zero=np.int64(0))


def positions_cut(t):
    nodes = [
        *LENGTH,
        (("Unsqueeze", "end"), "length zero", "", {}),
        (("Slice", "e"), "t zero end zero", "", {}),
        ("Add", "x e", "", {}),
    ]
    return model(nodes, LONG, t=t, one=np.int64(1), zero=np.array([0]))


READING = [rotary, contributed_rotary, embedded, quantised, by_elements, by_real_numbers]
READING += [features, positions, positions_cut]


@pytest.mark.parametrize("reading", READING)
@pytest.mark.parametrize("row", [0, 150, ROWS - 1])
def test_one_row_of_a_table_is_found_whatever_reads_it(reading, row):
    assert bnfold.verify(reading(table()), reading(table(row))).verdict == "different"


@pytest.mark.parametrize("reading", READING)
def test_the_rows_of_a_table_are_drawn_without_an_alarm(reading):
    found = bnfold.verify(reading(table()), reading(table()))
    assert found.is_equivalent
    assert "rows" not in found.reason


def test_rows_that_no_set_reads_are_named():
    """Of what is the largest of 200 numbers: fed alike, the last ones seldom are."""
    nodes = [
        (("Mul", "h"), "x rising", "", {}),
        (("ArgMax", "i"), "h", "", {"axis": 1, "keepdims": 0}),
        ("Gather", "t i", "", {}),
    ]
    inputs = [("x", TensorProto.FLOAT, ["n", ROWS])]
    rising = np.linspace(1e-3, 1, ROWS, dtype=np.float32)
    found = bnfold.verify(*[model(nodes, inputs, t=table(), rising=rising)] * 2)
    assert found.is_equivalent
    assert "of the 200 rows of 't' in Gather 'y' were reached" in found.reason
    assert "draw each row" not in found.evidence
    assert 0 < found.coverage.rows[0].reached < ROWS


def test_positions_beyond_a_fixed_length_are_named():
    """A sequence of 40 reads 40 rows of a table of 200, in every set."""
    short = positions(table())
    short.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 40
    found = bnfold.verify(short, short)
    assert "40 of the 200 rows of 't' in Gather 'e' were reached" in found.reason


def test_ids_of_another_name_are_a_difference_before_anything_is_drawn():
    renamed = by_elements(table())
    renamed.graph.input[0].name = renamed.graph.node[0].input[1] = "tokens"
    found = bnfold.verify(by_elements(table()), renamed)
    assert found.verdict == "different"
    assert "ids in the original, tokens in the other" in found.reason
