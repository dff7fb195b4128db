"""A rewrite proves itself: the region before and after."""
