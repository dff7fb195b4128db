"""Where an affine could go: asked backward and forward, before anything is edited."""
