"""Which rewrites that have a price pay on one target: measured, and nothing else kept."""
