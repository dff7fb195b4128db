"""The second opinion: the whole model in onnxruntime, before and after."""
