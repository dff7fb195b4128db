"""The one gate that every model passes when it is loaded: what the rest relies on holds behind it.

It reads each message once, and the bytes of no weight: its time follows the number of nodes.
"""

from bnfold.model_io.gate.model import refuse_what_is_wrong

__all__ = ["refuse_what_is_wrong"]
