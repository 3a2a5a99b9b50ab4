"""The whole recipe at toy scale, on the code that made the voice: corpus, lessons, vocoder, ear, evaluation, export."""

from __future__ import annotations

import ctypes
import json
import random
import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile
import torch

from training.demo_voice import (
    acoustic,
    corpus,
    export,
    graft,
    learning,
    letters,
    network,
    recipe,
    rows,
    speaking,
    texts,
    vocoder,
)
from workbench.engine.catalog import VocoderConfig
from workbench.engine.catalog.configs import read_config
from workbench.engine.model import loading

try:
    ctypes.CDLL("libespeak-ng.so.1")
except OSError:
    pytest.skip("espeak-ng is not installed", allow_module_level=True)

SENTENCES = [
    "the cat sleeps on the warm stone", "rain falls", "a small boat", "birds sing early", "we walk home at night",
    "bread and salt", "seven tall trees stand near the mill", "open the gate", "nobody knows the answer yet",
]  # fmt: skip
WORDS = ["apple", "river", "stone", "green", "jumps", "quickly", "music", "paper", "winter", "honey"]


def tiny_source(seed: int, bible_share: float = 0.3) -> texts.TextSource:
    by_length: dict[int, list[str]] = {}
    for s in SENTENCES:
        by_length.setdefault(len(s.split()), []).append(s)
    return texts.TextSource(random.Random(seed), by_length, WORDS, WORDS, ["Vienna", "Oliver"])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder after every step of the recipe."""
    folder = tmp_path_factory.mktemp("demo-voice")
    patch = pytest.MonkeyPatch()
    patch.setattr(texts.TextSource, "load", staticmethod(tiny_source))
    small = {"dim": 64, "depth": 2, "heads": 1, "text_dim": 48, "conv_layers": 2}
    patch.setattr(network, "ARCH", network.ARCH | small)
    patch.setattr(vocoder, "CONFIG", VocoderConfig(dim=32, intermediate_dim=64, num_layers=2))
    recipe.make_corpus(folder, shards=1, groups=6, seed=1)
    recipe.train_acoustic(recipe.AcousticJob(folder, steps=4, letters_steps=30, critic_steps=3, compiled=False))
    recipe.train_vocoder(folder, steps=3)
    recipe.train_recogniser(folder, steps=3)
    yield folder
    patch.undo()


def test_corpus_holds_speech_with_exact_labels(work):
    cached = corpus.Corpus.load(work / "corpus")
    assert len(cached.groups) == 6 and all(len(g) == 10 for g in cached.groups)
    assert cached.frames == sum(len(p) for p in cached.phones)
    names = recipe.phones(work)
    assert min(names.values()) == 2 and len(set(names.values())) == len(names)
    for mel, phones, ids in zip(cached.mel, cached.phones, cached.ids, strict=True):
        silent = phones == corpus.SILENCE
        assert mel.shape[1] == 100 and 3 < len(mel) / len(ids) < 25
        if silent.sum() > 5:  # what is labelled silence is quieter than what is labelled speech
            assert mel[~silent].astype(np.float32).mean() > mel[silent].astype(np.float32).mean() + 1


def test_rows_are_full_and_keep_reference_and_new_words_apart(work):
    cached = corpus.Corpus.load(work / "corpus")
    batch = rows.make_batch(cached, 6, 320, rows.RowPlan(drop=0.0, free=0.0), random.Random(3))
    assert batch.mel.shape == (6, 320, 100) and batch.phones.shape == (6, 320)
    assert ((batch.ids >= 0).sum(1) == batch.n_chars).all()
    assert batch.masked.any(1).all() and not batch.masked.all()


@pytest.mark.parametrize(
    "kind", [{"short": 1.0}, {"brief": 1.0, "short": 0.0}, {"unlike": 1.0, "usual": 0.0}, {"span": 1.0}, {"free": 1.0}]
)
def test_rows_of_every_kind_are_whole(work, kind):
    cached, rng = corpus.Corpus.load(work / "corpus"), random.Random(5)
    for n_frames in (160, 448):
        for _ in range(20):
            row = rows.compose(cached, n_frames, rows.RowPlan(**{"free": 0.0, "span": 0.0} | kind), rng)
            assert row.mel.shape == (n_frames, 100) and np.isfinite(row.mel).all() and len(row.phones) == n_frames
            spoken = row.phones != corpus.SILENCE
            assert row.masked.any() and spoken[row.masked].any(), "there is something to say in what is hidden"
            if "span" not in kind:  # first the reference, then what is to be spoken
                assert (np.diff(row.masked.astype(int)) >= 0).all()
            if "free" in kind:
                assert row.masked.all()


def test_training_resumes_where_it_stopped(work):
    before = torch.load(work / "acoustic" / "acoustic.pt", weights_only=True)
    assert before["step"] == 4
    recipe.train_acoustic(recipe.AcousticJob(work, steps=6, compiled=False))
    after = torch.load(work / "acoustic" / "acoustic.pt", weights_only=True)
    assert after["step"] == 6 and after["seconds"] >= before["seconds"]
    changed = [k for k in before["learner"] if not torch.equal(before["learner"][k], after["learner"][k])]
    assert len(changed) > len(before["learner"]) / 2


def test_training_speaks_on_the_way(work):
    said = sorted((work / "acoustic" / "samples").glob("step-000004-*.flac"))
    assert [p.stem for p in said] == ["step-000004-long", "step-000004-short"]
    waves = [soundfile.read(p)[0] for p in said]
    assert len(waves[0]) > 2 * len(waves[1]) and all(np.isfinite(w).all() and np.abs(w).max() > 0 for w in waves)


def test_a_killed_training_leaves_no_process_behind():
    code = "import multiprocessing as m; from training.demo_voice import recipe\n"
    code += "p = m.get_context('spawn').Process(target=recipe._end_with_parent); p.start()\n"
    code += "print(p.pid, flush=True); p.join()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, left = psutil.wait_procs([child], timeout=30)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)  # where nobody reaps orphans


def test_a_voice_is_continued_from_its_text_layers_with_a_plan_of_ones_own(work, tmp_path):
    recipe.export(work, tmp_path / "voice", "toy")
    again = tmp_path / "again"
    again.mkdir()
    for made in ("corpus", "critic"):
        (again / made).symlink_to(work / made)
    plan = tmp_path / "plan.json"
    plan.write_text('{"batch_frames": 448, "curriculum": [[1000, {"160": 1}]], "low_time_share": [0.5, 0.5]}')
    fields = acoustic.read_plan(plan)
    assert fields["curriculum"] == ((1000, {160: 1}),) and fields["low_time_share"] == (0.5, 0.5)
    job = recipe.AcousticJob(again, steps=2, letters_steps=1, compiled=False, onto=tmp_path / "voice", plan=fields)
    recipe.train_acoustic(job)
    lessons = [torch.load(f / "letters" / "letters.pt", weights_only=True) for f in (work, again)]
    voice = graft.load_backbone(tmp_path / "voice")[0].text_embed.state_dict()
    assert all(torch.equal(voice[k], lessons[1]["text_embed"][k]) for k in voice)  # the lesson was the head's alone
    assert not torch.equal(*(lesson["head"]["weight"] for lesson in lessons))
    kept = torch.load(again / "acoustic" / "acoustic.pt", weights_only=True)["plan"]
    assert kept["batch_frames"] == 448 and kept["steps"] == 2


@pytest.mark.parametrize("text", ["no json", '["steps"]', '{"stepz": 3}'])
def test_a_plan_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(texts.CorpusError, match=r"plan\.json"):
        acoustic.read_plan(tmp_path / "plan.json")


def test_the_phone_head_is_fitted_and_nothing_else(work):
    learner = learning.Learner(network.build_cfm(), len(recipe.phones(work)) + 2, 10)
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    data = corpus.Corpus.load(work / "corpus")
    first, last = (learning.fit_phone_head(learner, data, read_block=0, steps=n) for n in (1, 25))
    assert last < first
    changed = {k for k, v in learner.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"phone_head.weight", "phone_head.bias"}


def test_letters_learn(work):
    torch.manual_seed(0)
    table = torch.load(work / "letters" / "letters.pt", weights_only=True)["table"]
    assert len(table) > 20
    source, espeak = tiny_source(1), letters.Espeak()
    stream = letters.batches(letters.LettersPlan(batch_chars=300), espeak, source, table)
    ids, n_chars, n_frames, flat, n_targets = next(stream)
    assert len(ids) == len(n_chars) == len(n_targets) and n_targets.sum() == len(flat)
    assert (n_frames > n_chars).all()


def test_duration_is_upstreams_rule():
    assert speaking.duration_frames(300, "x" * 60 + " ", "y" * 61) == 600
    assert speaking.duration_frames(300, "x" * 60, "abc") == 300 + int(300 / 60 * 3 / 0.3)


def _between(work, folder, began):
    """An export with `began_with` lies between the voice that is there and the checkpoint."""
    path = work / "acoustic" / "acoustic.pt"
    trained = torch.load(path, weights_only=True)
    torch.save(trained | {"average": {k: v + 0.02 for k, v in began.items()}}, path)
    try:
        recipe.export(work, folder, "between", began_with=folder, share=0.75)
    finally:
        torch.save(trained, path)
    found, _ = graft.load_backbone(folder)
    for name, value in found.state_dict().items():
        assert torch.allclose(value, began[name] + 0.015, atol=0.002)
    other = {k: v for k, v in began.items() if "blocks.0" not in k}
    with pytest.raises(texts.CorpusError, match="other layers"):
        export.between(other, folder)


def test_evaluation_and_export(work, tmp_path):
    lock = recipe.export(work, tmp_path / "voice", "toy")
    expected = {"config.yaml", "vocab.txt", "model_toy.safetensors", "vocos/config.yaml", "vocos/model.safetensors"}
    assert expected <= set(lock["files"]) and len([f for f in lock["files"] if f.endswith(".flac")]) >= 3
    backbone, arch, _ = read_config(tmp_path / "voice" / "config.yaml")
    assert backbone == "DiT" and arch["dim"] == 64
    vocab = loading.read_vocab(tmp_path / "voice" / "vocab.txt")
    assert vocab[" "] == 0 and len(vocab) == len(texts.CHARACTERS)
    entries = json.loads((tmp_path / "voice" / "voices" / "voices.json").read_text())
    assert all(3 <= e["seconds"] <= 6 for e in entries)
    new = network.build_cfm().transformer
    old, _ = graft.load_backbone(tmp_path / "voice")
    new.text_embed.load_state_dict(old.text_embed.state_dict())
    assert graft.graft(new, tmp_path / "voice", tiny_source(5), texts=60) > 0.999  # the same text layers explain all
    assert torch.allclose(new.input_embed.proj.weight, old.input_embed.proj.weight, atol=0.02)
    _between(work, tmp_path / "voice", old.state_dict())
    own, phones = recipe.listener(work, None)
    shipped, names = recipe.listener(tmp_path / "nowhere", tmp_path / "voice")
    mel = corpus.Corpus.load(work / "corpus").mel[0].astype(np.float32)
    assert names == phones and torch.allclose(
        own(torch.tensor(mel)[None])[0], shipped(torch.tensor(mel)[None])[0], atol=0.05
    )
    with pytest.raises(texts.CorpusError, match="recogniser"):
        recipe.listener(tmp_path / "nowhere", None)
    how = speaking.SamplerSettings(nfe_step=2, cfg_strength=1.5)
    document = recipe.evaluate(tmp_path / "nowhere", tmp_path / "voice", how, limit=3, out=tmp_path / "page")
    assert document["cfg_strength"] == 1.5 and document["nfe_step"] == 2
    assert document["sentences"] == 3 and 0 <= document["skipped_words"] <= 1
    for found in (document["ring_decibels"], document["clicks_per_minute"]):
        assert list(found) == ["generated", "copy_synthesis", "true"] and all(v is not None for v in found.values())
    assert document["mcd_decibels"]["floor"] < document["mcd_decibels"]["chance"]
    chunks = dict(document["by_number_of_chunks"])
    assert chunks.pop("nfe_step") == 2 and list(chunks) == ["1", "5", "40"]
    assert all(v["phone_error_rate"] > 0 and v["skipped_words"] <= 1 for v in chunks.values())
    assert (tmp_path / "page" / "evaluation.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "page" / "evaluation.json").read_text()) == document


def test_retiming_takes_out_drift_but_keeps_the_rhythm_inside_words():
    words = np.array([[0, 0], [40, 4], [60, 12], [160, 20]])
    length = 140
    for drift, low, high in ((0.0, 0.0, 9.0), (float("inf"), 17.0, 60.0)):
        source = rows.source_frames(200, 28, words, length, drift)
        assert len(source) == length and (np.diff(source) > 0).all() and source[0] == 0 and source[-1] < 200
        heard_at = np.interp(words[1:, 0], source, np.arange(length))
        off = np.abs(heard_at - words[1:, 1] * length / 28).max()
        assert low <= off <= high


def test_resampling_at_whole_frames_changes_nothing():
    mel = np.random.default_rng(0).normal(size=(30, 100)).astype(np.float32)
    assert np.array_equal(rows.resample(mel, np.arange(30.0)), mel)
