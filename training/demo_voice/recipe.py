"""The steps of the recipe, each reading and writing one work folder.

corpus/       shards of speech, phones.json
letters/      the lesson on text alone        critic/  the ear that corrects the acoustic model
acoustic/     checkpoint, curve and samples of the acoustic model
vocoder/      likewise        recogniser/  likewise
"""

from __future__ import annotations

import json
import logging
import multiprocessing.connection
import os
import random
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from training.demo_voice import (
    acoustic,
    critic,
    graft,
    held_out,
    learning,
    lengths,
    letters,
    network,
    plots,
    recogniser,
    records,
    retrace,
    samples,
    vocoder,
)
from training.demo_voice import corpus as speech
from training.demo_voice import evaluate as judging
from training.demo_voice import export as exporting
from training.demo_voice.espeak import Espeak
from training.demo_voice.speaking import SamplerSettings, model_of_checkpoint
from training.demo_voice.texts import CorpusError, TextSource
from workbench.engine.catalog import bundled_folder
from workbench.engine.model.devices import choose_device
from workbench.engine.model.weights import vocos_of

CRITIC = Path("critic") / "critic.pt"


def make_corpus(work: Path, shards: int, groups: int, seed: int) -> None:
    """Speak `shards` shards of `groups` groups that are not there yet."""
    folder = work / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "phones.json"
    if not table.exists():
        table.write_text(json.dumps(speech.phone_table(Espeak(), TextSource.load(seed))), encoding="utf-8")
    for number in range(shards):
        if not (folder / f"shard-{number}.npz").exists():
            plan = speech.CorpusPlan(groups=groups)
            frames = speech.write_shard(folder, number, plan, phones(work), seed)
            records.log.info("shard %d of %d: %d frames", number + 1, shards, frames)


def phones(work: Path) -> dict[str, int]:
    """Numbers of the phones. Raises CorpusError when the corpus is not there."""
    path = work / "corpus" / "phones.json"
    if not path.exists():
        raise CorpusError(f"{path} is missing", remedy=f"python -m training.demo_voice corpus --work {work}")
    return json.loads(path.read_text(encoding="utf-8"))


def _lesson(work: Path, steps: int, onto: Path | None = None) -> dict[str, Any]:
    """What the lesson on letters taught; held now if it has not been, from the text layers of `onto` if they fit."""
    path = work / "letters" / "letters.pt"
    if not path.exists():
        layers = network.build_cfm().transformer.text_embed
        known = onto is not None and graft.take_text_layers(layers, onto)
        letters.train_letters(letters.LettersPlan(steps=steps), work / "letters", layers, fresh=not known)
    return torch.load(path, weights_only=True)


@dataclass(frozen=True)
class AcousticJob:
    """One training of the acoustic model, as its processes need it.

    Attributes:
        onto: exported voice whose blocks the model starts with (module `graft`); None starts fresh.
        plan: fields of `acoustic.AcousticPlan` that are not to have their defaults.
    """

    work: Path
    steps: int | None = None
    device: str = "cpu"
    processes: int = 1
    letters_steps: int = 400
    critic_steps: int | None = None
    compiled: bool = True
    onto: Path | None = None
    plan: dict[str, Any] = field(default_factory=dict)


def train_acoustic(job: AcousticJob) -> None:
    """The lesson on letters, the critic, then the acoustic model, in several processes; resumes where it stopped."""
    phones(job.work)
    _lesson(job.work, job.letters_steps, job.onto)
    if _plan(job).critic_weight and not (job.work / CRITIC).exists():
        train_critic(job.work, job.critic_steps)
    job = replace(job, device=choose_device(job.device))
    if job.processes == 1:
        _acoustic_process(0, job)
        return
    meeting = job.work / "acoustic" / "meeting"
    meeting.parent.mkdir(parents=True, exist_ok=True)
    meeting.unlink(missing_ok=True)
    torch.multiprocessing.spawn(_spawned, (job, f"file://{meeting.absolute()}"), nprocs=job.processes)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended: else a killed training goes on beside its successor."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _spawned(rank: int, job: AcousticJob, meeting: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=job.processes)
    _acoustic_process(rank, job)
    dist.destroy_process_group()


def _plan(job: AcousticJob) -> acoustic.AcousticPlan:
    return acoustic.AcousticPlan(**job.plan | ({"steps": job.steps} if job.steps else {}))


def _acoustic_process(rank: int, job: AcousticJob) -> None:
    plan = _plan(job)
    network.seed_everything(plan.seed)
    lesson = _lesson(job.work, 0)
    cfm = network.build_cfm()
    learning.open_gates(cfm.transformer)
    cfm.transformer.text_embed.load_state_dict(lesson["text_embed"])
    source = TextSource.load(plan.seed)
    begins = job.onto is not None and not (job.work / "acoustic" / "acoustic.pt").exists()  # a checkpoint knows more
    if begins:
        explained = graft.graft(cfm.transformer, job.onto, source)
        records.log.info("grafted onto %s: %.0f %% of its text features explained", job.onto, 100 * explained)
    learner = learning.Learner(cfm, len(phones(job.work)) + 2, len(lesson["table"]))
    learner.spelling_head.load_state_dict(lesson["head"])
    data = speech.Corpus.load(job.work / "corpus")
    if begins:
        learning.fit_phone_head(learner, data, plan.read_block, plan.seed)
    if job.compiled:
        learner.compile_blocks()
    source.rng = random.Random(plan.seed * 1000 + rank)
    espeak, folder = Espeak(), job.work / "acoustic"
    heard = samples.Samples(folder / "samples", _vocoder(job.work), espeak) if rank == 0 else None
    spelling = letters.batches(letters.LettersPlan(batch_chars=150), espeak, source, lesson["table"])
    judge = critic.load_critic(job.work / CRITIC).to(job.device) if plan.critic_weight else None
    training = acoustic.Training(plan, folder, data, spelling, learner.to(job.device), rank, judge, heard)
    training.resume()
    with network.plain_attention():
        training.run()


def _vocoder(work: Path) -> Any:
    """The Vocos of the work folder, else the bundled one."""
    path = work / "vocoder" / "vocoder.pt"
    if not path.exists():
        return exporting.load_vocoder(bundled_folder())
    vocos = vocos_of(vocoder.CONFIG)
    vocos.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["average"])
    return vocos.eval()


def train_vocoder(work: Path, steps: int | None, onto: Path | None = None, retraced: int | None = None) -> None:
    """The small Vocos; with `onto` from that of an exported voice, at half the learning rate.

    Half of its mels are the acoustic model's, that of the work folder, else that of `onto`; with neither, none.
    """
    phones(work)
    given = {"steps": steps, "retraced": retraced}
    plan = vocoder.VocoderPlan(**{k: v for k, v in given.items() if v is not None})
    known = exporting.load_vocoder(onto).state_dict() if onto else None
    if known:
        plan = replace(plan, learning_rate=plan.learning_rate / 2)
    made, kept = [], speech.kept_audio(work / "corpus")
    if plan.retraced and (onto or (work / "acoustic" / "acoustic.pt").exists()):
        data = speech.Corpus.load(work / "corpus")
        made = retrace.retraced(_acoustic(work, onto).transformer, data, kept, plan.retraced, plan.seed)
    vocoder.train_vocoder(plan, work / "vocoder", [(wave, None) for _, wave in kept], made, known)


def _acoustic(work: Path, folder: Path | None) -> Any:
    """The CFM of the work folder's checkpoint, else that of an exported voice."""
    path = work / "acoustic" / "acoustic.pt"
    known = folder is not None and not path.exists()
    return exporting.load_exported(folder)[0] if known else model_of_checkpoint(str(_made(path, "train-acoustic")))


def train_recogniser(work: Path, steps: int | None) -> None:
    """The phone recogniser."""
    table = phones(work)
    cases = held_out.held_out_cases(Espeak(), table)
    plan = recogniser.RecogniserPlan(**({"steps": steps} if steps else {}))
    truth = [(c.truth.mel, c.truth.phones) for c in cases]
    network.seed_everything(plan.seed)
    model = recogniser.Recogniser(len(table) + 2)
    data = speech.Corpus.load(work / "corpus")
    recogniser.train_recogniser(plan, work / "recogniser" / "recogniser.pt", data, model, truth)


def train_critic(work: Path, steps: int | None) -> None:
    """The ear that the acoustic model is corrected by; it never hears a sentence or a voice of the evaluation."""
    plan = recogniser.RecogniserPlan(seed=17, **({"steps": steps} if steps else {}))
    network.seed_everything(plan.seed)
    data = speech.Corpus.load(work / "corpus")
    kept = len(data.mel) - min(60, len(data.mel) // 5)
    truth = [(data.mel[i].astype(np.float32), data.phones[i]) for i in range(kept, len(data.mel))]
    seen = replace(data, mel=data.mel[:kept])
    recogniser.train_recogniser(plan, work / CRITIC, seen, critic.Critic(len(phones(work)) + 2), truth)


def _made(path: Path, command: str) -> Path:
    """`path`, if an earlier step has made it. Raises CorpusError naming the step."""
    if not path.exists():
        work = path.parent.parent
        raise CorpusError(f"{path} is missing", remedy=f"python -m training.demo_voice {command} --work {work}")
    return path


def models(work: Path, folder: Path | None) -> tuple[Any, Any]:
    """CFM and Vocos from an exported folder, or from the checkpoints of the work folder."""
    if folder is not None:
        return exporting.load_exported(folder)
    _made(work / "vocoder" / "vocoder.pt", "train-vocoder")
    return _acoustic(work, None), _vocoder(work)


def listener(work: Path, folder: Path | None) -> tuple[recogniser.Recogniser, dict[str, int]]:
    """The recogniser of the work folder with its phones; the one exported with the voice where none was trained."""
    path = work / "recogniser" / "recogniser.pt"
    if folder is not None and not path.exists() and (folder / recogniser.EXPORTED).is_file():
        return recogniser.load_exported(folder)
    return recogniser.load_recogniser(_made(path, "train-recogniser")), phones(work)


def evaluate(
    work: Path,
    folder: Path | None,
    how: SamplerSettings,
    limit: int | None,
    out: Path | None,
    chosen: held_out.HeldOutSet = held_out.EVALUATION,
) -> dict[str, Any]:
    """Measure on a held-out set; with `out`, write evaluation.json and evaluation.png there."""
    espeak = Espeak()
    ear, table = listener(work, folder)
    cases = held_out.held_out_cases(espeak, table, limit, chosen)
    cfm, vocos = models(work, folder)
    document, spoken = judging.evaluate(cases, cfm, vocos, ear, how)
    if how.nfe_step != 7:
        few_steps, _ = judging.evaluate(cases, cfm, vocos, ear, replace(how, nfe_step=7))
        keys = ("phone_error_rate", "skipped_words", "repeated_words", "mcd_from_chance_to_floor")
        document["at_nfe_7"] = {k: few_steps[k] for k in keys}
    document["phone_error_by_chunk_size"] = lengths.by_chunk_size(cases, cfm, vocos, ear, espeak, table, how)
    quick = replace(how, nfe_step=min(7, how.nfe_step))  # forty chunks at 32 steps would take as long as all the rest
    document["by_number_of_chunks"] = lengths.by_number_of_chunks(cases, cfm, vocos, ear, quick)
    document["latency"] = lengths.latency(cfm, vocos, cases[0].reference)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        plots.page(out / "evaluation.png", document, cases, spoken, work / "acoustic" / "acoustic.csv")
    return document


def export(work: Path, folder: Path, name: str, began_with: Path | None = None, share: float = 0.5) -> dict[str, Any]:
    """Replace the voice in `folder` by the newest checkpoints and load it once to prove it.

    `began_with` is an exported voice, perhaps the one that is replaced: weights between both are written, `share` of
    the way to the new ones.
    """
    state = torch.load(
        _made(work / "acoustic" / "acoustic.pt", "train-acoustic"), map_location="cpu", weights_only=True
    )
    average = state["average"] if began_with is None else exporting.between(state["average"], began_with, share)
    exporting.export_acoustic(average, folder, name)
    heard = work / "vocoder" / "vocoder.pt"
    if heard.exists() or not (folder / "vocos").is_dir():  # otherwise the vocoder that is there stays
        vocos = torch.load(_made(heard, "train-vocoder"), map_location="cpu", weights_only=True)
        exporting.export_vocoder(vocos["average"], folder)
    if (work / "recogniser" / "recogniser.pt").exists():
        recogniser.export_recogniser(*listener(work, None), folder)
    exporting.export_voices(folder, Espeak())
    exporting.load_exported(folder)
    return exporting.write_lock(folder)
