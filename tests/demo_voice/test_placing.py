"""New words keep step with their text: when each character is due, for any tempo, speed and length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.demo_voice import network, placing


@pytest.mark.parametrize(("n_chars", "n_frames"), [(7, 40), (60, 300), (61, 300), (117, 550), (300, 1501), (5, 5)])
def test_characters_begin_where_upstream_upsamples_them_to(n_chars, n_frames):
    numbers = torch.arange(n_chars, dtype=torch.float32)[None, :, None].expand(1, n_chars, 1)
    padded = torch.nn.functional.pad(numbers, (0, 0, 0, n_frames - n_chars))
    shown = network.upsample(padded, torch.tensor([n_chars]), n_frames)[0, :, 0].numpy()
    first = np.concatenate([np.flatnonzero(np.diff(shown, prepend=-1)), [n_frames]])
    assert np.array_equal(placing.text_frames(n_chars, n_frames), first)


@pytest.mark.parametrize("tempo", [4.2, 4.5, 4.73, 5.0, 5.4, 5.9, 6.6])
@pytest.mark.parametrize(("n_ref", "n_new"), [(62, 55), (40, 250), (90, 30), (62, 4)])
@pytest.mark.parametrize("slow", [0.7, 1.0, 1.3])
def test_new_words_begin_after_the_reference_and_end_with_the_row(tempo, n_ref, n_new, slow):
    ref_frames = round(n_ref * tempo)
    n_frames = ref_frames + round(n_new * tempo * slow)
    at = placing.spoken_frames(n_ref, ref_frames, n_ref + n_new, n_frames)
    assert len(at) == n_new + 1 and np.diff(at).min() > 0.5
    assert ref_frames - 1e-6 <= at[0] and at[-1] == pytest.approx(n_frames, abs=1e-6)


@pytest.mark.parametrize("tempo", [4.2, 4.5, 4.73, 5.4, 5.9])
def test_a_long_text_is_caught_up_with_and_then_kept(tempo):
    ref_frames, n_frames = round(60 * tempo), round(260 * tempo)
    late = placing.spoken_frames(60, ref_frames, 260, n_frames) - placing.text_frames(260, n_frames)[60:]
    assert np.abs(late[130:]).max() < tempo  # within a character of its text
    without = placing.spoken_frames(0, 0, 260, n_frames) - placing.text_frames(260, n_frames)
    assert np.abs(without).max() < tempo


def test_a_few_characters_at_a_third_of_the_speed_wait_for_their_text():
    at = placing.spoken_frames(62, 310, 70, 310 + 133)
    assert at[0] > 340 and at[-1] == pytest.approx(443)
    assert np.diff(at).max() < 1.4 * 7  # of the seven frames that upstream gives the last ones: not drawn out
