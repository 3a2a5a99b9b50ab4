"""The server decodes uploads one at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from workbench.ui.parts import voice_picker


def test_one_upload_at_a_time_is_decoded(monkeypatch):
    inside, most = [], []

    def decode(data, words, name, shorten_pauses):
        inside.append(name)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(name)
        return name

    monkeypatch.setattr(voice_picker, "make_voice", decode)
    monkeypatch.setattr(voice_picker.resources, "remember_voice", lambda voice: voice)
    together = threading.Barrier(4)

    def upload(number: int) -> str:
        together.wait()
        return voice_picker._prepared(f"digest {number}", "Words.", f"name {number}", b"")

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(upload, range(4))) == [f"name {k}" for k in range(4)]
    assert most == [1, 1, 1, 1]
