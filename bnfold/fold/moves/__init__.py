"""What each operator answers when an affine arrives at it."""
