"""Batch norms folded inside a torch module: module in, module out."""

from bnfold.torch_fold.records import FoldedModule, KeptModule

__all__ = ["FoldedModule", "KeptModule"]
