"""Rewrites that are exact and cost something: used only where they are allowed."""
