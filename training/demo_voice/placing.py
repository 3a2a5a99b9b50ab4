"""When each character of a row is spoken, so that speech keeps step with its text wherever it can.

Upstream's average upsampling deals out whole frames: at 4.7 frames a character the first 30 % of the characters get
four and the others five, and after 60 characters the text is 20 frames ahead of speech that is spread evenly. That
shift depends on the length of everything that follows; a small model never learnt to undo it: with a reference at 5.0
frames a character the third voice got 8 % of the phones wrong, at 4.7 it was 26 %. A reference is as it is, and the
shift at its end remains. But the new words are ours to place: they hurry or linger until they have caught up with their
text, within a second or so, and from then on every frame says the character that it is given.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

CATCH_UP = 1.35  # how much faster or slower than their text new words may be while they catch up with it
_PAUSE = 6  # frames that may pass before new words whose text is still to come
_SMOOTH = 6.0  # characters


def text_frames(n_chars: int, n_frames: int) -> np.ndarray:
    """First frame of each character by upstream's average upsampling, and the end: f64 [n_chars + 1]."""
    base, rest = divmod(n_frames, n_chars)
    at = np.arange(n_chars + 1, dtype=np.float64)
    return base * at + np.maximum(0.0, at - (n_chars - rest))


def spoken_frames(n_ref_chars: int, ref_frames: int, n_chars: int, n_frames: int) -> np.ndarray:
    """Frame at which each character of the new words is to be spoken.

    Args:
        n_ref_chars, ref_frames: of the reference, 0 for none. n_chars, n_frames: of the whole row.

    Returns:
        f64 [n_chars - n_ref_chars + 1], rising, within ref_frames..n_frames; the last one is the end.
    """
    text = text_frames(n_chars, n_frames)[n_ref_chars:]
    ahead = text[0] - ref_frames
    if ahead <= 0:
        at = np.maximum(text, ref_frames + (text - text[0]) / CATCH_UP)
        at = ref_frames + (at - ref_frames) * (n_frames - ref_frames) / (at[-1] - ref_frames)
    else:
        slack = (CATCH_UP - 1) * (n_frames - text[0])
        begin = ref_frames + min(ahead, max(_PAUSE, ahead - slack))
        at = np.minimum(text, begin + (text - text[0]) * CATCH_UP)
    margin = len(at) - 1
    longer = np.pad(at, margin, mode="reflect", reflect_type="odd")  # leaves both ends where they are
    return gaussian_filter1d(longer, min(_SMOOTH, len(at) / 10))[margin : margin + len(at)]
