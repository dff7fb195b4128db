"""onnxruntime as a thing to run, and what a model takes and gives: below verify, bench and export.

`engine` alone opens onnxruntime, and imports nothing of bnfold: any Python that has onnxruntime and
NumPy can run it. The others speak of models: `signature`, `extents`, `bounds`, `arrays`, `domains`.
"""
