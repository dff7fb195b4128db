"""A local function that is called as one of onnxruntime's operators is not what it runs.

In ONNX the function's body says what the call means, and a fold goes by that; onnxruntime takes its
own kernel where it has one of that name, which may compute something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import onnx
import onnx_ir as ir
from onnx.inliner import inline_selected_functions

from bnfold.errors import BnfoldError, ModelError
from bnfold.fold.opinion.answers import Answers, session_of
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.outputs import difference


def require_no_namesake(
    original: Original, answers: Answers, folded: ir.Model, tolerance: float
) -> None:
    """Returns where onnxruntime gives for calls that the fold wrote out what their bodies give.

    Args:
        original: as it was given.
        answers: what onnxruntime makes of it.
        folded: which has no functions but those that were not written out.
        tolerance: over the largest value, which needs no explanation.

    Raises:
        ModelError: for one it does not.
    """
    model = onnx.load_model_from_string(original.written())
    left = {(domain, name) for domain, name, _ in folded.functions}
    written_out = [(f.domain, f.name) for f in model.functions if (f.domain, f.name) not in left]
    if not written_out or _agrees(original, model, answers, tolerance, written_out):
        return
    for domain, name in written_out:
        if not _agrees(original, model, answers, tolerance, [(domain, name)]):
            raise ModelError(
                f"function '{domain}.{name}': onnxruntime has an operator of that name, which "
                "computes something else than the function's body, so that it is not known which "
                "of the two is meant; rename the function, or fold unchecked (--no-check) if it is "
                "the body"
            )


def _agrees(
    original: Original,
    model: onnx.ModelProto,
    answers: Answers,
    tolerance: float,
    functions: Sequence[tuple[str, str]],
) -> bool:
    """Whether the model computes the same with these functions written out, by onnx.

    So it is where that does not run, which tells nothing.
    """
    inlined = inline_selected_functions(model, list(functions))
    with suppress(BnfoldError):
        session = session_of(original, inlined.SerializeToString())
        pairs = zip(answers.feeds, answers.outputs, strict=True)
        return all(difference(old, session.run(feed)) <= tolerance for feed, old in pairs)
    return True
