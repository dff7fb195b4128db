"""Operators that an affine passes through."""
