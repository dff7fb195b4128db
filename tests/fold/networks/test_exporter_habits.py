"""Things that exporters write and that a fold has to live with."""

from __future__ import annotations

import numpy as np

from tests.fold.networks.onnx_text import batch_norm, fold, parsed, relative_error


def test_folds_where_an_open_dimension_is_written_as_minus_one() -> None:
    """Some exporters state -1 where nothing is known."""
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(4, 3, 3, 3)).astype(np.float32)
    model = parsed(
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) {
            a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            y = BatchNormalization(a, ns, nb, nm, nv) }""",
        {"w": weight, **batch_norm("n", 4)},
    )
    for dim in (0, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[dim].dim_value = -1
    folded, ledger = fold(model)
    assert ledger.batch_norms_after == 0
    feed = {"x": generator.normal(size=(2, 3, 9, 8)).astype(np.float32)}
    assert relative_error(model, folded, feed) < 1e-6
