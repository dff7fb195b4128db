"""Models from and to disk: nothing lost, nothing half-written, memory bounded."""

from bnfold.model_io.files import files_of
from bnfold.model_io.foreign_operators import refuse_foreign, unknown_domains
from bnfold.model_io.hashing import sha256
from bnfold.model_io.loading import ModelSource, load, require_model
from bnfold.model_io.naming import naming
from bnfold.model_io.opening import require_file
from bnfold.model_io.portable import packed, unpacked
from bnfold.model_io.saving import save, to_proto
from bnfold.model_io.together import Together, require_place

__all__ = [
    "ModelSource",
    "Together",
    "files_of",
    "load",
    "naming",
    "packed",
    "refuse_foreign",
    "require_file",
    "require_model",
    "require_place",
    "save",
    "sha256",
    "to_proto",
    "unknown_domains",
    "unpacked",
]
