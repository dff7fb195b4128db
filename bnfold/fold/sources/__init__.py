"""What is an affine, and what of constant arithmetic is left alone."""
