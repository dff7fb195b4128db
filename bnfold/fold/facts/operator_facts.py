"""What is known of the standard operators, whatever their attributes: one row a fact.

An operator that a row does not name may be otherwise: unsure means no.
"""

from __future__ import annotations

KEEPS_SHAPE = frozenset(
    "Abs BatchNormalization Cast CastLike Ceil Celu Clip Cos DequantizeLinear Dropout Elu Erf Exp "
    "Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization "
    "LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization "
    "Mish Neg PRelu QuantizeLinear RMSNormalization Reciprocal Relu ReverseSequence Round Selu "
    "Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Trilu".split()
)
"""The first output has the shape of the first input."""

KEEPS_RANK = KEEPS_SHAPE | frozenset(
    "AveragePool Conv ConvTranspose CumSum DepthToSpace GlobalAveragePool GlobalLpPool "
    "GlobalMaxPool LpPool "
    "MaxPool Pad Resize Slice SpaceToDepth Split Tile Transpose Upsample".split()
)
"""Its outputs have as many axes as the first input."""

KEEPS_CHANNELS = KEEPS_SHAPE | frozenset(
    "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool".split()
)
"""The first output has as many entries along axis 1 as the first input."""

KEEPS_RANGE = frozenset(
    "Abs Cast CastLike Clip Compress Concat DepthToSpace Dropout Expand Flatten Gather "
    "GatherElements GlobalMaxPool Identity If Max MaxPool MaxUnpool Min Neg Pad ReduceMax "
    "ReduceMin Relu Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile Transpose "
    "Unsqueeze Where".split()
)
"""Each number that it makes is one that it was given, its negative, or a constant."""

JOINS = frozenset("Add Div Max Mean Min Mul Sub Sum Where".split())
"""It broadcasts its inputs against one another; a constant among them may have any such shape."""

PURE = frozenset(
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization Cast CastLike "
    "Ceil Celu Clip Compress Concat Constant ConstantOfShape Cos Cosh CumSum DepthToSpace Div "
    "Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater "
    "GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization IsInf IsNaN "
    "LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max Mean "
    "Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL1 "
    "ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare Relu Reshape ReverseSequence Round ScatterElements ScatterND Selu Sigmoid "
    "Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum "
    "Tan Tanh ThresholdedRelu Tile Transpose Trilu Unsqueeze Where Xor".split()
)
"""Of constants it makes a constant, which may be computed beforehand."""

NOT_LINEAR = frozenset(
    "Acos Acosh And ArgMax ArgMin Asin Asinh Atan Atanh Bernoulli BitShift BitwiseAnd "
    "BitwiseNot BitwiseOr BitwiseXor Ceil Celu Cos Cosh Det Elu Equal Erf Exp Floor GRU Gelu "
    "Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Hardmax "
    "InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization Less LessOrEqual Log "
    "LogSoftmax LpNormalization MeanVarianceNormalization Mish Mod NonMaxSuppression NonZero "
    "Not Or RMSNormalization RNN Reciprocal ReduceLogSum ReduceLogSumExp ReduceProd "
    "ReduceSumSquare Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Swish Tan "
    "Tanh ThresholdedRelu Unique Xor".split()
)
"""A scale or shift in front of it is none behind it, whatever its attributes."""

PARTS = frozenset(("Gather", "Slice", "Split"))
"""It takes a part of its input, and notices nothing of what becomes of the rest."""

LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""It multiplies what it reads by a weight and adds up; what most models are made of."""

QUANTISES = frozenset(
    "ConvInteger DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear "
    "Round".split()
)
"""It rounds activations, or computes with what was rounded."""

ROUNDS = QUANTISES | frozenset("Ceil Floor Mod Sign".split())
"""Its result jumps: one rounding error before it can move that by a whole step."""

COMPARES = frozenset("Equal Greater GreaterOrEqual Less LessOrEqual".split())
"""Of numbers it makes a decision, which a rounding error can turn."""

CONTROL_FLOW = frozenset(("If", "Loop", "Scan"))

INFERRED = (
    KEEPS_SHAPE
    | KEEPS_RANK
    | JOINS
    | CONTROL_FLOW
    | frozenset(
        "And ArgMax ArgMin BitwiseAnd BitwiseOr Concat Constant ConstantOfShape ConvInteger "
        "DynamicQuantizeLinear Equal Expand Flatten GRU Gather GatherElements GatherND Gemm "
        "Greater GreaterOrEqual IsInf IsNaN LSTM Less LessOrEqual MatMul MatMulInteger Mod Not "
        "OneHot Or Pow QLinearConv QLinearMatMul RNN Range ReduceL1 ReduceL2 ReduceLogSum "
        "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare "
        "Reshape ScatterElements ScatterND Shape Size Squeeze TopK Unsqueeze Xor".split()
    )
)
"""Where onnx's shape inference knows a size, it is that of the run; but see `sizes`."""

ADDENDS = {
    **dict.fromkeys("Add Concat Max Mean Min Sub Sum Where".split(), range(1 << 16)),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "Pad"), (2,)),
    **dict.fromkeys("GroupNormalization InstanceNormalization LayerNormalization".split(), (2,)),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), (3,)),
    "BatchNormalization": (2, 3),
}
"""Inputs that are added to the output or are part of it: rounded as it is. Others multiply."""

SIZED_BY = {
    **dict.fromkeys(("Expand", "Reshape", "Squeeze", "Split", "Tile", "TopK", "Unsqueeze"), (1,)),
    **dict.fromkeys(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare".split(),
        (1,),
    ),
    "ConstantOfShape": (0,),
    "Gather": (1,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Resize": (3,),
    "Slice": (1, 2, 3, 4),
}
"""Inputs whose numbers decide the size of the outputs."""
