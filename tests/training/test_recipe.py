"""The whole recipe at toy scale, with a stand-in teacher: plan, corpus, both networks, voice."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import soundfile
import torch

import workbench
from tests.training.toy import NAMES, ToyTeacher, toy_phonemes, toy_styles
from training.demo_voice import (
    acoustic,
    cli,
    corpus,
    export,
    network,
    plan,
    rows,
    sets,
    speaking,
    teach,
    texts,
    vocoding,
)
from training.demo_voice.teacher import TeacherError
from workbench.engine.catalog import VocoderConfig
from workbench.engine.speech.voices import load_voice

SENTENCES = [
    "the cat sleeps on the warm stone", "rain falls", "a small boat", "birds sing early", "we walk home at night",
    "bread and salt", "seven tall trees stand near the mill", "open the gate", "nobody knows the answer yet",
]  # fmt: skip
WORDS = ["apple", "river", "stone", "green", "jumps", "quickly", "music", "paper", "winter", "honey"]
SMALL = network.ARCH | {"dim": 64, "depth": 2, "heads": 1, "text_dim": 48, "conv_layers": 2}
NARROW = VocoderConfig(dim=32, intermediate_dim=64, num_layers=2)
LENGTHS = ((160, 0.5), (256, 0.5))


def source(seed: int = 1) -> texts.TextSource:
    by_length: dict[int, list[str]] = {}
    for s in SENTENCES:
        by_length.setdefault(len(s.split()), []).append(s)
    return texts.TextSource(random.Random(seed), by_length, WORDS, WORDS, ["Vienna", "Oliver"])


def load_toy(job: teach.TeachJob) -> tuple[ToyTeacher, dict[str, np.ndarray]]:
    return ToyTeacher(), toy_styles()


def acoustic_plan(steps: int, **fields) -> acoustic.AcousticPlan:
    return acoustic.AcousticPlan(steps=steps, frames=512, lengths=LENGTHS, read_block=0, warmup=2, **fields)


def training_of(work, steps: int, **fields) -> acoustic.Training:
    cfm = acoustic.begin(SMALL, None)
    return acoustic.Training(acoustic_plan(steps, **fields), work / "acoustic", corpus.Corpus.load(work), cfm)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A work folder with a plan and a corpus."""
    folder = tmp_path_factory.mktemp("demo-voice")
    made = plan.make_plan(NAMES, plan.PlanSize(14, 14, blends=2), source(), toy_phonemes)
    made.write(folder / "plan.json")
    teach.teach(teach.TeachJob(folder, folder, "cpu", per_shard=8), load_toy)
    return folder


@pytest.fixture(scope="module")
def work(planned):
    """The same after both trainings."""
    training = training_of(planned, 4)
    training.run()
    known, made = vocoding.clips_of(
        corpus.Corpus.load(planned, wave=True), training.average, small_vocoder_plan(3), torch.device("cpu")
    )
    assert made is not None and len(made.table) > 0
    vocoding.VocoderTraining(small_vocoder_plan(3), planned / "vocoder", known, made, config=NARROW).run()
    return planned


def small_vocoder_plan(steps: int) -> vocoding.VocoderPlan:
    return vocoding.VocoderPlan(
        steps=steps, rows=2, frames=64, spectral=0.34, retraced=1, retraced_frames=2048, periods=(11,), windows=(512,)
    )


def test_a_plan_is_read_as_it_was_written_and_keeps_held_out_voices_and_texts_apart(planned):
    made = plan.Plan.read(planned / "plan.json")
    assert len(made.speakers) == len(NAMES) + 2 and made.speakers[0] == speaking.Speaker.pure(
        "af_one", made.speakers[0].pace
    )
    assert len({(u.speaker, u.text) for u in made.utterances}) == len(made.utterances) == 14 * 8
    assert all(u.ids == network.tokens(u.text) and 0.75 <= u.speed <= 1.6 for u in made.utterances)
    kept_out = [voice for voice, _ in sets.UNSEEN.values()]
    drawn = plan.draw_speakers([*NAMES, *kept_out, "af_nicole"], random.Random(1), 30)
    assert len(drawn) == len(NAMES) + 30
    assert not {n for s in drawn for n in (*s.timbre[:2], *s.prosody[:2])} & {*kept_out, "af_nicole"}


def test_the_corpus_holds_speech_with_exact_labels(planned):
    found = corpus.Corpus.load(planned, wave=True)
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
    teach.teach(teach.TeachJob(planned, planned, "cpu", per_shard=8), load_toy)
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items()), "what is there stays"
    again, old = np.load(paths[1]), before[paths[1]]
    paths[1].with_suffix(".old").write_bytes(old)
    assert np.array_equal(again["rows"], np.load(paths[1].with_suffix(".old"))["rows"]), "a shard is the same whenever"
    paths[1].with_suffix(".old").unlink()


@pytest.mark.parametrize(
    "kind",
    [
        {"tiny": 1.0},
        {"brief": 1.0, "tiny": 0.0},
        {"brief": 0.0, "tiny": 0.0},
        {"span": 1.0},
        {"free": 1.0},
        {"drop": 1.0},
    ],
)
def test_rows_of_every_kind_are_whole(planned, kind):
    found, rng = corpus.Corpus.load(planned), random.Random(5)
    composer = rows.Composer(found, rows.RowPlan(**{"free": 0.0, "span": 0.0, "drop": 0.0} | kind))
    for n in (224, 320):
        for _ in range(8):
            row = composer.row(n, rng)
            assert row.index.shape == (n,) and row.index.min() >= 0 and row.index.max() < len(found.mel)
            assert 0 <= row.begin < row.end <= n and row.drop == ("drop" in kind)
            assert (found.phone[row.index][row.begin : row.end] != 0).any(), "there is something to say"
            spoken = found.speaker[np.searchsorted(found.first, row.index, side="right") - 1]
            assert len(set(spoken.tolist())) == 1, "one speaker a row"
            if kind.keys() & {"free", "drop"}:
                assert (row.begin, row.end) == (0, n)
            elif "span" not in kind:
                assert row.begin > 50, "a reference comes first"


def test_rows_that_cannot_be_filled_are_an_error_that_says_so(planned):
    composer = rows.Composer(corpus.Corpus.load(planned), rows.RowPlan(free=1.0))
    with pytest.raises(texts.CorpusError, match="12 frames"):
        composer.row(12, random.Random(1))


def test_a_batch_fits_together(planned):
    composer = rows.Composer(corpus.Corpus.load(planned))
    drawn = rows.batch(composer, 5, 256, random.Random(2))
    assert drawn["index"].shape == (5, 256) and ((drawn["ids"] >= 0).sum(1) == drawn["n_chars"]).all()


def test_training_resumes_where_it_stopped(work):
    before = torch.load(work / "acoustic" / "acoustic.pt", weights_only=True)
    assert before["step"] == 4 and before["arch"] == SMALL
    again = training_of(work, 6)
    assert again.resume() and again.step == 4
    again.run()
    after = torch.load(work / "acoustic" / "acoustic.pt", weights_only=True)
    assert after["step"] == 6 and after["seconds"] >= before["seconds"]
    changed = [k for k in before["learner"] if not torch.equal(before["learner"][k], after["learner"][k])]
    assert len(changed) > len(before["learner"]) / 2


def test_training_learns(planned, tmp_path):
    training = acoustic.Training(acoustic_plan(60), tmp_path, corpus.Corpus.load(planned), acoustic.begin(SMALL, None))
    composer, rng, found = rows.Composer(training.corpus), random.Random(1), []
    for training.step in range(1, 41):
        drawn = rows.batch(composer, 2, 256, rng)
        found.append(training.one_step({k: torch.as_tensor(v) for k, v in drawn.items()})["flow"])
    assert np.mean(found[-8:]) < 0.8 * np.mean(found[:8])


def test_the_adversary_for_harmonics_is_taught_too(planned, tmp_path):
    plan_ = acoustic_plan(4, harmonics_weight=0.1)
    training = acoustic.Training(plan_, tmp_path, corpus.Corpus.load(planned), acoustic.begin(SMALL, None))
    before = {k: v.clone() for k, v in training.adversary.state_dict().items()}
    drawn = rows.batch(rows.Composer(training.corpus, rows.RowPlan(drop=0.0)), 4, 256, random.Random(1))
    training.step = 1
    found = training.one_step({k: torch.as_tensor(v) for k, v in drawn.items()})
    assert {"harmonics", "adversary"} <= set(found)
    assert any(not torch.equal(v, before[k]) for k, v in training.adversary.state_dict().items())


def test_a_deeper_model_begins_where_the_shallower_one_is(small_cfm):
    known = small_cfm.transformer.state_dict()
    deeper = network.build_cfm(SMALL | {"depth": 4})
    deeper.transformer.load_state_dict(network.grown(known, 4))
    ids, _ = network.pad_tokens([network.tokens("One small step.")])
    x, cond, time = torch.randn(1, 77, 100), torch.randn(1, 77, 100), torch.tensor([0.3])
    with torch.no_grad():
        found = [
            model.transformer.eval()(x=x, cond=cond, text=ids, time=time, drop_text=False)
            for model in (small_cfm, deeper)
        ]
    assert torch.allclose(*found, atol=1e-5)


def test_the_vocoder_resumes_with_its_discriminators(work):
    state = torch.load(work / "vocoder" / "vocoder.pt", weights_only=True)
    assert state["step"] == 3 and state["judges"]
    known, _ = vocoding.clips_of(corpus.Corpus.load(work, wave=True), None, small_vocoder_plan(4), torch.device("cpu"))
    again = vocoding.VocoderTraining(small_vocoder_plan(4), work / "vocoder", known, config=NARROW)
    assert again.resume() and again.adversarial_step > 0
    again.run()
    assert torch.load(work / "vocoder" / "vocoder.pt", weights_only=True)["step"] == 4
    columns = (work / "vocoder" / "vocoder.csv").read_text().splitlines()
    assert len(columns) == 3 and float(columns[-1].split(",")[6]) != 0, "the discriminators' mark"


def test_a_voice_is_put_together_and_the_engine_speaks_with_it(work, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "demo-voice"
    styles = toy_styles([voice for voice, _ in sets.REFERENCES.values()])
    lock = export.assemble(work, folder, "toy", ToyTeacher(), styles, toy_phonemes)
    assert {"model_toy.safetensors", "vocos/model.safetensors", "voices/nora.flac"} <= set(lock["files"])
    listed = json.loads((folder / "voices" / "voices.json").read_text())
    assert [e["name"] for e in listed] == list(sets.REFERENCES)
    wave, rate = soundfile.read(folder / listed[0]["file"])
    assert rate == 24_000 and abs(len(wave) / rate - listed[0]["seconds"]) < 0.01
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    engine = workbench.load_engine("demo-voice", device="cpu", dtype="fp32")
    average = torch.load(work / "acoustic" / "acoustic.pt", weights_only=True)["average"]
    there = engine.loaded.cfm.transformer.state_dict()
    assert all(torch.allclose(there[k], v.half().float()) for k, v in average.items())
    run = engine.run("The gate is open.", load_voice("Arthur"), workbench.SynthesisSettings(nfe_step=2))
    assert np.isfinite(run.wave).all() and len(run.wave) > 12_000


def test_a_step_that_comes_too_early_names_the_one_before(tmp_path, capsys):
    for words, missing in ((["acoustic"], "plan"), (["teach"], "plan"), (["assemble"], "fetch")):
        with pytest.raises(SystemExit) as ended:
            cli.main(
                [*words, "--work", str(tmp_path), *(["--teacher", str(tmp_path)] if words != ["acoustic"] else [])]
            )
        assert ended.value.code == 2
        assert f"training.demo_voice {missing}" in capsys.readouterr().err.replace("\n", " ")


def test_a_missing_teacher_is_said_with_its_remedy(tmp_path):
    from training.demo_voice import teacher

    with pytest.raises(TeacherError, match="fetch"):
        teacher.load_styles(tmp_path)
