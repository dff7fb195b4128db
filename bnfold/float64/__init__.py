"""What a model means: ONNX operators in float64, without rounding, by numpy alone."""

from bnfold.float64.call import UnsupportedOperatorError
from bnfold.float64.graph import EvaluationError, run_graph
from bnfold.float64.operators import run_node, run_op

__all__ = ["EvaluationError", "UnsupportedOperatorError", "run_graph", "run_node", "run_op"]
