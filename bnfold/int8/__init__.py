"""Models in int8 as onnxruntime's static quantiser makes them, and what that costs in accuracy."""
