"""Our own small graphs of every motif, each with the best exact rewrite that there is."""

from __future__ import annotations

from benchmarks.motifs import (
    backward,
    carry,
    forward,
    joins,
    kinds,
    merges,
    networks,
    products,
    rectifiers,
    sources,
    traps,
)
from benchmarks.motifs.motif import Motif, Norm

GROUPS: dict[str, tuple[Motif, ...]] = {
    "sources": sources.MOTIFS,
    "backward": backward.MOTIFS,
    "forward": forward.MOTIFS,
    "carried": carry.MOTIFS,
    "joins": joins.MOTIFS,
    "merges": merges.MOTIFS,
    "rectifiers": rectifiers.MOTIFS,
    "networks": networks.MOTIFS,
    "kinds": kinds.MOTIFS,
    "products": products.MOTIFS,
    "traps": traps.MOTIFS,
}
"""All motifs by the part of the algebra that they are about."""

__all__ = ["GROUPS", "Motif", "Norm"]
