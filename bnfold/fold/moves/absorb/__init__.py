"""Operators that take an affine into their own constants."""
