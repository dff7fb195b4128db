"""Small networks with batch norm, their training recipes and their trained weights.

They are trained on real data that an installed package ships (scikit-learn's handwritten digits),
so that everything here can be reproduced without a download:

    python -m models.train digits_cnn       # the weights, from a seed
    python -m models.data held_out.npz --model digits_cnn
    python -m models.evaluate digits_cnn model.onnx
"""
