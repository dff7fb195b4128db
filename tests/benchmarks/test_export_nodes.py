"""An export, folded, is never longer than torch's own behind onnxsim."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxsim")
pytest.importorskip("onnxscript")

from benchmarks.export_networks import NETWORKS
from benchmarks.export_nodes import measure


@pytest.mark.slow  # each network is exported twice
@pytest.mark.parametrize("is_dynamic", [True, False], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("name", NETWORKS)
def test_nobody_has_fewer_nodes(name, is_dynamic):
    row = measure(name, is_dynamic=is_dynamic)
    assert row.is_short, row
