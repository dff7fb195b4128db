"""Real data that installed packages ship: read from their files, never downloaded."""

from __future__ import annotations

from models.sources.digits import DIGITS
from models.sources.mnist import MNIST, MNIST_5K
from models.sources.source import Source, Table
from models.sources.vowels import VOWELS

SOURCES: dict[str, Source] = {source.name: source for source in (DIGITS, MNIST_5K, MNIST, VOWELS)}

__all__ = ["SOURCES", "Source", "Table"]
