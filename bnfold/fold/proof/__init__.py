"""A rewrite proves itself: the region before, and the region as it then is."""
