"""Affines, and constants before they are rounded."""
