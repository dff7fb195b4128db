"""The graph as torch's exporter writes it where nothing is said, to measure beside ours."""

from __future__ import annotations

import pickle

import numpy as np
import onnxruntime
import pytest

import bnfold
from bnfold import model_io
from bnfold.errors import ModelError
from bnfold.export import api

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
nn = torch.nn


@pytest.fixture(scope="module")
def exported():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
    norm.running_mean.normal_()
    module = nn.Sequential(conv, norm, nn.ReLU(), nn.BatchNorm2d(4)).eval()
    return module, bnfold.export(module, (1, 2, 6, 6), by_default=True)


def test_it_has_folded_what_it_folds_and_computes_what_the_module_does(exported):
    module, found = exported
    norms = [n for n in found.by_default.graph if n.op_type == "BatchNormalization"]
    assert (found.batch_norms, len(norms)) == (2, 1)
    x = torch.randn(3, 2, 6, 6)  # as dynamic as ours, fed by the same name
    session = onnxruntime.InferenceSession(model_io.to_proto(found.by_default).SerializeToString())
    (y,) = session.run(None, {found.model.graph.inputs[0].name: x.numpy()})
    np.testing.assert_allclose(y, module(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_it_is_not_made_unless_it_is_asked_for_and_survives_a_pickle(exported):
    module, found = exported
    assert bnfold.export(module, (1, 2, 6, 6), check=False).by_default is None
    again = pickle.loads(pickle.dumps(found))
    assert len(again.by_default.graph) == len(found.by_default.graph)
    assert "by_default" not in found.to_dict()


def test_where_the_exporter_cannot_do_it_that_is_a_warning(exported, monkeypatch):
    def fails(*_, **__):
        raise ModelError("Sequential cannot be exported: no")

    monkeypatch.setattr(api, "capture_by_default", fails)
    found = bnfold.export(exported[0], (1, 2, 6, 6), check=False, by_default=True)
    assert found.by_default is None
    assert found.warnings[-1] == (
        "torch.onnx.export by its defaults: Sequential cannot be exported: no"
    )
