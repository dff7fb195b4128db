"""Tells rounding from a bug: whether two models compute the same, with the evidence.

`bnfold.verify(a, b)` is the entry point; the records it returns are in `bnfold.verify.records`.
"""

from bnfold.verify.api import verify as verify
from bnfold.verify.records import Verification as Verification
