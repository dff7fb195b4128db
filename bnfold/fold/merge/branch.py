"""The ways down from a leaf of a sum: which values is it a convolution or an affine of?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.fold.merge.algebra import composed, with_macs
from bnfold.fold.merge.border_kernel import border_kernel
from bnfold.fold.merge.dense import dense_of
from bnfold.fold.merge.kernel import Kernel, diagonal
from bnfold.fold.merge.merge import is_private
from bnfold.fold.merge.transposed import macs_behind
from bnfold.fold.merge.window_kernel import CONVOLUTIONS, kernel_of
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.sources.skipped import Skipped
from bnfold.fold.sources.source import Source, source_of

_DEEPEST = 6  # operators of one branch


@dataclass(frozen=True)
class Way:
    """A leaf as a function of `base`, which private operators compute.

    Attributes:
        base: where the way ends.
        nodes: the operators, the leaf's first, with the input that leads on.
        affine: what they are while no convolution is among them; None for nothing at all.
        kernel: what they are as a convolution.
        host: the first of `LINEAR` among them, which could compute the whole sum.
    """

    base: ir.Value
    nodes: tuple[tuple[ir.Node, int], ...] = ()
    affine: Affine | None = None
    kernel: Kernel | None = None
    host: ir.Node | None = None

    def as_kernel(self, like: Kernel) -> Kernel | None:
        """What the way computes, as a convolution of the channels and axes of another one."""
        if self.kernel is not None:
            return self.kernel
        affine = self.affine or identity(len(like.axes) + 2)
        return diagonal(affine, like.channels_in, like)


def ways_down(value: ir.Value, facts: Facts, skipped: Skipped) -> Iterator[Way]:
    """The leaf itself, then each value further up that it is a linear function of."""
    way = Way(value)
    yield way
    graph = None
    while len(way.nodes) < _DEEPEST and is_private(way.base):
        node = way.base.producer()
        assert node is not None
        graph = graph or node.graph
        if node.graph is not graph or skipped.has_node(node) or node.outputs[0] is not way.base:
            return
        longer = _through(way, node, facts)
        if longer is None:
            return
        way = longer
        yield way


def _through(way: Way, node: ir.Node, facts: Facts) -> Way | None:
    if is_op(node, "Identity"):
        return _extended(way, node, 0)
    source = source_of(node, facts)
    if isinstance(source, Source):
        return _through_affine(way, source)
    own = _own_kernel(node, facts)
    kernel = None if own is None else _after(way, own)
    if kernel is None:
        return None
    host = way.host or (node if is_op(node, *LINEAR) else None)
    return replace(_extended(way, node, 0), affine=None, kernel=kernel, host=host)


def _own_kernel(node: ir.Node, facts: Facts) -> Kernel | None:
    if is_op(node, *CONVOLUTIONS, "AveragePool"):
        return kernel_of(node, facts)
    if is_op(node, "Pad", "Slice"):
        return border_kernel(node, facts)
    if is_op(node, "Gemm", "MatMul") and not attribute_of(node, "transA", 0):
        return dense_of(node, facts)
    return None


def _through_affine(way: Way, source: Source) -> Way | None:
    kernel = way.kernel
    if kernel is None:
        affine = source.affine if way.affine is None else way.affine.after(source.affine)
        return replace(_extended(way, source.node, source.index), affine=affine)
    below = diagonal(source.affine, kernel.channels_in, kernel)
    return _behind(below, way, source.node, source.index)


def _behind(below: Kernel | None, way: Way, node: ir.Node, index: int) -> Way | None:
    """The way with one operator more that multiplies nothing."""
    assert way.kernel is not None
    whole = None if below is None else composed(below, way.kernel)
    if whole is None:
        return None
    return replace(_extended(way, node, index), kernel=with_macs(whole, way.kernel.macs))


def _after(way: Way, own: Kernel) -> Kernel | None:
    """The way so far, behind one more convolution, with the work of both."""
    if way.kernel is not None:
        whole = composed(own, way.kernel)
        return None if whole is None else with_macs(whole, macs_behind(own, way.kernel))
    if way.affine is None:
        return own
    above = diagonal(way.affine, own.channels_out, own)
    whole = None if above is None else composed(own, above)
    return None if whole is None else with_macs(whole, own.macs)


def _extended(way: Way, node: ir.Node, index: int) -> Way:
    base = node.inputs[index]
    assert base is not None
    return replace(way, base=base, nodes=(*way.nodes, (node, index)))
