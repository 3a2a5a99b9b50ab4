"""The teacher speaks the plan, with a label for every frame, and goes on where it was stopped."""

from __future__ import annotations

import numpy as np

from tests.training.toy import load_toy
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.corpus.teach import TeachJob, teach


def test_the_corpus_holds_speech_with_exact_labels(planned):
    found = Corpus.load(planned, wave=True)
    assert len(found.mel) == len(found.phone) == found.frames.sum() and len(found.wave) == 256 * len(found.mel)
    assert len(found.ids) > 0.8 * 14 * 8, "few are cut where it cannot be trusted"
    silent = found.phone == 0
    loud = found.mel.astype(np.float32).mean(1)
    assert loud[~silent].mean() > loud[silent].mean() + 2
    for k in range(len(found.ids)):
        said = found.phone[found.first[k] : found.first[k] + found.frames[k]]
        assert (said[: found.start[k]] == 0).all() and (said[found.start[k] : found.end[k]] != 0).any()


def test_teaching_goes_on_where_it_was_stopped(planned):
    paths = sorted((planned / "corpus").glob("shard-*.npz"))
    assert len(paths) >= 3
    before = {p: p.read_bytes() for p in paths}
    paths[1].unlink()
    stamps = {p: p.stat().st_mtime_ns for p in paths if p.exists()}
    teach(TeachJob(planned, planned, "cpu", per_shard=8), load_toy)
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items()), "what is there stays"
    again, old = np.load(paths[1]), before[paths[1]]
    paths[1].with_suffix(".old").write_bytes(old)
    assert np.array_equal(again["rows"], np.load(paths[1].with_suffix(".old"))["rows"]), "a shard is the same whenever"
    paths[1].with_suffix(".old").unlink()
