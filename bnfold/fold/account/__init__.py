"""What became of each batch norm, and why."""
