"""The domains of operators that somebody here knows: ONNX's own, and onnxruntime's."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_DOMAINS = frozenset(("", "ai.onnx"))
"""The two spellings of that of ONNX's own operators."""

ML_DOMAIN = "ai.onnx.ml"
"""That of classical models: trees, encoders, scalers."""

CONTRIB_DOMAIN = "com.microsoft"
"""That of what onnxruntime adds."""

BLOCKED_DOMAIN = "com.microsoft.nchwc"
"""Convolutions on blocks of channels, as wide as the registers of the CPU that saved the file."""

KNOWN_DOMAINS = frozenset(
    {
        *DEFAULT_DOMAINS,
        ML_DOMAIN,
        "ai.onnx.preview",
        "ai.onnx.preview.training",
        CONTRIB_DOMAIN,
        BLOCKED_DOMAIN,
        "com.ms.internal.nhwc",
    }
)
"""The last two are what onnxruntime rewrites a graph to, and saves, at its default level."""


def standard_opset(imports: Mapping[str, int]) -> int:
    """The version of ONNX's own operators that a model imports, however it spells their domain."""
    return imports.get("", imports.get("ai.onnx", 1))
