"""Folders of test data: named tensors go where their names say, others by the file's number."""

from __future__ import annotations

import numpy as np
import onnx.numpy_helper
import pytest

import bnfold
from bnfold.errors import DataError
from tests.verify.graphs import parsed

DIFFERENCE = parsed("g (float[N] a, float[N] b) => (float[N] y) { r = Relu (a)  y = Sub (r, b) }")
OVER_B = parsed("g (float[N] a, float[N] b) => (float[N] y) { r = Abs (a)  y = Sub (r, b) }")
POSITIVE, NEGATIVE = np.ones(3, np.float32), -np.ones(3, np.float32)


def written(folder, *tensors):
    """A folder of test data; a tensor is its name, which may be empty, and its array."""
    for number, (name, array) in enumerate(tensors):
        tensor = onnx.numpy_helper.from_array(array, name)
        (folder / f"input_{number}.pb").write_bytes(tensor.SerializeToString())
    return folder


@pytest.mark.parametrize(
    ("names", "arrays", "verdict"),
    [
        (("b", "a"), (NEGATIVE, POSITIVE), "equivalent"),
        (("b", "a"), (POSITIVE, NEGATIVE), "different"),
        (("", ""), (POSITIVE, NEGATIVE), "equivalent"),
        (("", ""), (NEGATIVE, POSITIVE), "different"),
        (("p", "q"), (POSITIVE, NEGATIVE), "equivalent"),
    ],
    ids=["by name, right", "by name, wrong", "by number", "by number, wrong", "by other names"],
)
def test_a_tensor_goes_to_the_input_of_its_name_and_else_of_its_number(
    tmp_path, names, arrays, verdict
):
    """Relu and Abs differ where `a` is negative, and nowhere else."""
    folder = written(tmp_path, *zip(names, arrays, strict=True))
    assert bnfold.verify(DIFFERENCE, OVER_B, data=folder).verdict == verdict


def test_the_tenth_file_comes_behind_the_second(tmp_path):
    """By number, and not as words are sorted."""
    inputs = ", ".join(f"float[N] x{i}" for i in range(12))
    total = " ".join(f"t{i} = Add (t{i - 1}, x{i})" for i in range(2, 12))
    text = f"g ({inputs}) => (float[N] y) {{ t1 = Add (x0, x1) {total} y = Sub (t11, {{}}) }}"
    arrays = [np.full(2, i, np.float32) for i in range(12)]
    folder = written(tmp_path, *(("", array) for array in arrays))
    wrong = [parsed(text.replace("{}", name)) for name in ("x2", "x10")]
    found = bnfold.verify(*wrong, data=folder)
    assert found.verdict == "different"
    assert found.outputs[0].max_difference == 8.0


@pytest.mark.parametrize("count", [1, 3])
def test_a_set_with_another_number_of_tensors_is_refused(tmp_path, count):
    folder = written(tmp_path, *[("", POSITIVE)] * count)
    with pytest.raises(DataError, match=f"has {count} inputs, the model wants 2"):
        bnfold.verify(DIFFERENCE, OVER_B, data=folder)


def test_outputs_of_several_widths_are_no_class_scores():
    """Sets of data may give matrices that do not fit below each other."""
    model = parsed("g (float[N,L] x) => (float[N,L] y) { y = Relu (x) }")
    data = [{"x": np.ones((2, width), np.float32)} for width in (3, 5)]
    assert bnfold.verify(model, model, data=data).decisions == ()
