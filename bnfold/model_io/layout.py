"""How a model keeps its weights beside it: which ones, in what files, and where in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LEAST_BYTES = 1 << 10  # smaller tensors stay in the model
_PAGE = 1 << 12  # tensors that begin at a page can be mapped
_LEAST_ALIGNMENT, _MOST_ALIGNMENT = 1 << 6, 1 << 16  # a cache line; what Windows maps by
_SUFFIX = re.compile(r"(\.[0-9a-f]{16})?\.data$")
_MAIN = ""  # the file of the model's own name
_LONGEST = 80  # characters of a tensor's name in that of a file
_NO_FILE_NAME = re.compile(r"[^\w.-]", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Where tensors are that do not lie in the model's file.

    Attributes:
        least_bytes: of a tensor beside the model.
        alignment: where in a file tensors begin, in bytes.
        files: what the file of a tensor is called, without hash and `.data`; by its name.
        main: the file of tensors that have none yet.
        is_one_each: whether each tensor has a file of its own; then `main` is not used.
    """

    least_bytes: int = _LEAST_BYTES
    alignment: int = _PAGE
    files: Mapping[str, str] = field(default_factory=dict)
    main: str = _MAIN
    is_one_each: bool = False

    def file_of(self, tensor: str, model_name: str) -> str:
        """What the file of a tensor is called beside a model, without hash and `.data`.

        A tensor that is called after one that was there, as `weight_folded`, is where that one was.
        """
        origin = tensor
        while origin and origin not in self.files:
            origin = origin.rpartition("_")[0]
        if origin:
            return self.files[origin] or model_name
        if self.is_one_each:
            return _NO_FILE_NAME.sub("_", tensor)[:_LONGEST] or model_name
        return self.main or model_name


@dataclass(frozen=True)
class TensorPlace:
    """Where a tensor was found: `size` bytes from `offset` on, in a file below the model's."""

    tensor: str
    location: str
    offset: int
    size: int


def layout_of(places: Iterable[TensorPlace], model_name: str) -> Layout:
    """The layout of tensors that were found there; there is at least one.

    A file that is called after the model is called after the one that is written later; folders
    below the model's are not made again.
    """
    found = list(places)
    files = {place.tensor: _plain(place.location, model_name) for place in found}
    counts = Counter(place.location for place in found)
    sizes: Counter[str] = Counter()
    for place in found:
        sizes[files[place.tensor]] += place.size
    return Layout(
        least_bytes=max(min(place.size for place in found), 1),
        alignment=_alignment(place.offset for place in found),
        files=files,
        main=sizes.most_common(1)[0][0],
        is_one_each=len(found) > 1 and max(counts.values()) == 1,
    )


def _plain(location: str, model_name: str) -> str:
    name = _SUFFIX.sub("", re.split(r"[/\\]", location)[-1])
    return _MAIN if name in (model_name, model_name.removesuffix(".onnx")) else name


def _alignment(offsets: Iterable[int]) -> int:
    """The largest power of two that all of them are multiples of, within reason."""
    bits = 0
    for offset in offsets:
        bits |= offset
    return min(max(bits & -bits, _LEAST_ALIGNMENT), _MOST_ALIGNMENT) if bits else _PAGE
