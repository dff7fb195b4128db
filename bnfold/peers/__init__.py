"""Other optimisers of ONNX models: each takes the same file, in a process that may crash."""
