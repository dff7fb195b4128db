"""A torch module as the original, and originals that have no float64 reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

import bnfold
from bnfold.errors import ModelError, UsageError
from tests.verify.graphs import parsed


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 6)
        self.norm = torch.nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(self.linear(x))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        net.norm.running_mean.normal_()
        net.norm.running_var.uniform_(0.5, 1.5)
    return net


def as_onnx(net, *, epsilon=1e-5):
    """The same network by hand: a wrong exporter would not hide a wrong verifier."""
    text = f"""g (float[N,4] x) => (float[N,6] y) {{
        a = Gemm <transB = 1> (x, w, b)
        y = BatchNormalization <epsilon = {epsilon}> (a, s, t, m, v)
    }}"""
    stored = {
        "w": net.linear.weight,
        "b": net.linear.bias,
        "s": net.norm.weight,
        "t": net.norm.bias,
        "m": net.norm.running_mean,
        "v": net.norm.running_var,
    }
    return parsed(text, **{name: tensor.detach().numpy() for name, tensor in stored.items()})


def test_a_module_is_compared_with_its_export_in_eval_mode(net):
    net.train()
    found = bnfold.verify(net, as_onnx(net))
    assert found.is_equivalent
    assert "torch float64" in found.method
    assert net.training
    assert net.linear.weight.dtype == torch.float32


def test_a_module_with_another_epsilon_is_different(net):
    assert bnfold.verify(net, as_onnx(net, epsilon=1e-4)).verdict == "different"


def test_a_module_with_another_number_of_outputs_is_refused(net):
    class Two(Net):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ModelError, match="returns 2 tensors, the ONNX model 1"):
        bnfold.verify(Two(), as_onnx(net))


def copied(net, kind):
    other = kind()
    other.load_state_dict(net.state_dict())
    return other


class Floating(Net):
    def forward(self, x):
        return super().forward(x.float()).float() + torch.zeros(6, dtype=torch.float32)


class KeywordOnly(Net):
    def forward(self, *, x):
        return super().forward(x)


class Keeping(Net):
    def forward(self, x):
        self.kept = super().forward(x)
        return self.kept


@pytest.mark.parametrize("kind", [Floating, KeywordOnly, Keeping])
def test_a_module_is_run_in_float64_whatever_its_code_says(net, kind):
    module = copied(net, kind)
    if kind is Keeping:
        module.eval()(x=torch.ones(2, 4))  # holds on to an activation with its gradient
    found = bnfold.verify(module, as_onnx(net))
    assert found.is_equivalent
    assert found.method == "torch float64 reference of the original"
    assert bnfold.verify(module, as_onnx(net, epsilon=1e-4)).verdict == "different"


def test_a_module_that_does_not_run_in_float64_is_compared_as_a_range(net):
    class Picky(Net):
        def forward(self, x):
            if x.dtype is not torch.float32:
                raise TypeError("float32 only")
            return super().forward(x)

    found = bnfold.verify(copied(net, Picky), as_onnx(net))
    assert found.is_equivalent
    assert found.method.startswith("range")
    assert any("float32 only" in note for note in found.notes)


class Difference(torch.nn.Module):
    def forward(self, x, z):
        return x - z


@pytest.mark.parametrize("order", [("x", "z"), ("z", "x")])
def test_arguments_go_by_their_names_where_the_graph_has_the_same(order):
    text = "g (float[N,4] {}, float[N,4] {}) => (float[N,4] y) {{ y = Sub (x, z) }}"
    assert bnfold.verify(Difference(), parsed(text.format(*order))).is_equivalent


def test_arguments_go_by_their_order_where_the_graph_has_other_names():
    text = "g (float[N,4] b, float[N,4] a) => (float[N,4] y) { y = Sub (b, a) }"
    assert bnfold.verify(Difference(), parsed(text)).is_equivalent


def test_a_random_module_cannot_be_verified():
    text = "g (float[N,40] x) => (float[N,40] y) { y = Identity (x) }"

    class Random(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.dropout(x, training=True)

    found = bnfold.verify(Random(), parsed(text))
    assert found.verdict == "inconclusive"
    assert "random" in found.reason


@pytest.fixture
def unknown():
    """A model with an operator that onnxruntime has and the float64 reference has not."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
        "g (float[N,4] x) => (float[N,4] y) {"
        " a = MatMul (x, w)  y = com.microsoft.QuickGelu <alpha = 1.702> (a) }"
    )
    weight = rng.normal(size=(4, 4)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return model


def test_without_a_reference_the_comparison_is_a_range_and_says_so(unknown):
    found = bnfold.verify(unknown, unknown)
    assert found.is_equivalent
    assert found.method.startswith("range")
    assert any("QuickGelu" in note and "range" in note for note in found.notes)


def test_a_range_comparison_still_catches_a_fault(unknown):
    wrong = onnx.ModelProto()
    wrong.CopyFrom(unknown)
    weight = onnx.numpy_helper.to_array(wrong.graph.initializer[0]) * np.float32(1.0001)
    wrong.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
    assert bnfold.verify(unknown, wrong).verdict == "different"


def test_a_spec_is_loaded_the_way_export_does(net, tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(4, 6))\n"
    )
    linear = bnfold.export(torch.nn.Linear(4, 6), (torch.ones(2, 4),)).model
    found = bnfold.verify(f"{tmp_path / 'net.py'}:build", linear, samples=2)
    assert found.verdict == "different"


class Two(torch.nn.Module):
    """Two Linears, of which the second is subtracted."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(8, 5), torch.nn.Linear(8, 5)

    def difference(self, x, y):
        return self.a(x) - self.b(y)


class OfList(Two):
    def forward(self, xs):
        return self.difference(*xs)


class OfDict(Two):
    def forward(self, xs):
        return self.difference(xs["left"], xs["right"])


class OfListAndKeyword(Two):
    def forward(self, xs, *, scale):
        return self.difference(*xs) * scale


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (OfList, ["xs_0", "xs_1"]),
        (OfList, ["left", "right"]),
        (OfList, ["xs_1", "xs_0"]),
        (OfDict, ["xs_left", "xs_right"]),
        (OfDict, ["xs_right", "xs_left"]),
        (OfListAndKeyword, ["scale", "xs_0", "xs_1"]),
    ],
)
def test_an_argument_that_is_a_list_or_a_dict_is_fed_by_the_inputs_named_after_it(kind, names):
    torch.manual_seed(0)
    module = kind().eval()
    first, second = [name for name in sorted(names) if name != "scale"]
    inputs = ", ".join(f"float[{'1' if name == 'scale' else 'N,8'}] {name}" for name in names)
    tail = "y = Mul (d, scale)" if "scale" in names else "y = Identity (d)"
    model = parsed(
        f"""g ({inputs}) => (float[N,5] y) {{
            p = Gemm <transB = 1> ({first}, u, b)  q = Gemm <transB = 1> ({second}, w, c)
            d = Sub (p, q)  {tail}
        }}""",
        u=module.a.weight.detach().numpy(),
        b=module.a.bias.detach().numpy(),
        w=module.b.weight.detach().numpy(),
        c=module.b.bias.detach().numpy(),
    )
    assert bnfold.verify(module, model).is_equivalent


def test_a_network_that_is_named_gets_its_weights_from_a_file(net, tmp_path, monkeypatch):
    """The factory gives others: without the file the two are different."""
    (tmp_path / "small.py").write_text(
        "import torch\n\n\ndef build():\n"
        "    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6))\n"
        "    return net.eval()\n"
    )
    monkeypatch.chdir(tmp_path)
    names = {"linear": "0", "norm": "1"}
    stored = net.state_dict().items()
    weights = {f"{names[n.split('.')[0]]}.{n.split('.')[1]}": value for n, value in stored}
    torch.save({"ema": weights, "step": 3}, "ema.pt")
    model = as_onnx(net)
    found = bnfold.verify("small.py:build", model, weights="ema.pt", weights_key="ema")
    assert found.verdict == "equivalent"
    assert bnfold.verify("small.py:build", model).verdict == "different"
    with pytest.raises(UsageError, match="for torch code; an ONNX model has its own"):
        bnfold.verify(model, model, weights="ema.pt")


class Sleeper(torch.nn.Module):
    """Of its six units one is awake for large inputs alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 6)
        self.last = torch.nn.Linear(6, 2)
        with torch.no_grad():
            self.linear.bias[3] = -40.0

    def forward(self, x):
        return self.last(torch.relu(self.linear(x)))


@pytest.mark.parametrize("how", [{"data": {"x": np.ones((8, 4), np.float32)}}, {"samples": 2}])
def test_what_a_module_was_not_seen_to_wake_is_said_on_all_inputs(how):
    """A unit at rest on what was fed may have any weight."""
    torch.manual_seed(0)
    module = Sleeper().eval()
    text = """g (float[N,4] x) => (float[N,2] y) {
        a = Gemm <transB = 1> (x, w, b) r = Relu(a) y = Gemm <transB = 1> (r, v, c) }"""
    stored = {n: t.detach().numpy() for n, t in module.state_dict().items()}
    names = {"w": "linear.weight", "b": "linear.bias", "v": "last.weight", "c": "last.bias"}
    model = parsed(text, **{name: stored[path] for name, path in names.items()})
    found = bnfold.verify(module, model, **how)
    assert found.is_equivalent
    assert "were off throughout" in found.reason
    assert "wake each" not in found.evidence
