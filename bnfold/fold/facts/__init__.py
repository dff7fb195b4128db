"""What is known of a graph: constants, shapes, readers, the geometry of windows."""
