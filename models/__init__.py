"""Small networks with batch norm, their training recipes and their trained weights.

    import models

    models.names()
    module = models.build("cnn_post")       # trained, in eval mode

They are trained on real data that installed packages ship, so that everything here can be
reproduced without a download:

    python -m models.train cnn_post         # the weights, from a seed
    python -m models.data held_out.npz --model cnn_post
    python -m models.evaluate cnn_post model.onnx
"""

from models.registry import build, names

__all__ = ["build", "names"]
