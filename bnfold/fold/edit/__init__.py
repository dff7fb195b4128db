"""The only files that change a graph."""
