"""Which neighbour of the original is run: how it is moved, and by how many roundings."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir


@dataclass(frozen=True)
class Neighbour:
    """A copy of a model that is rounded once more.

    Attributes:
        seed: of what is moved; its last number tells the copies of one model apart.
        is_jittered: activations are moved too, and not weights alone, see `jitter`.
        strength: by how many roundings.
        in_integers: quantised layers round their bias as integer kernels do, see `integer_kernels`.
        half: weights and activations are in half precision, see `half`; None for as they are.
    """

    seed: tuple[int, ...]
    is_jittered: bool = False
    strength: int = 1
    in_integers: bool = False
    half: ir.DataType | None = None
