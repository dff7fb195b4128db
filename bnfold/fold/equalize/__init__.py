"""Scales moved between neighbouring layers, so that the channels of a tensor are alike again."""
