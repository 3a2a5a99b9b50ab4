"""The corpus: every utterance of the plan as the teacher says it, with a mel and the phone of each of its frames.

Several sentences of one speaker are spoken in one go, because on a GPU most of the time goes into starting kernels, and
cut at the pauses between them, which the durations tell. A shard is some such groups and one file; shards that are
there already are left alone, so that a stopped run goes on.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.demo_voice.teacher import kokoro, speaking
from training.demo_voice.teacher.alphabet import alphabet
from training.demo_voice.teacher.speaking import HOP, LEVEL, SAMPLE_RATE_HZ
from training.demo_voice.teacher.voices import style
from training.demo_voice.texts.plan import Plan, Utterance
from workbench.engine.signal.mel import mel_spectrogram

log = logging.getLogger("training.demo_voice")
GROUPS_A_SHARD = 64
_MOST_TOGETHER, _MOST_TOKENS, _SPEED_APART = 8, 330, 0.17
_PACE = (2.3, 14.0)  # frames a character: anything else was cut in the wrong place
_FEWEST_FRAMES = 12


def groups(utterances: list[Utterance], seed: int = 9) -> list[list[int]]:
    """Numbers of the utterances that are spoken in one go: one speaker, about one speed, whole sentences."""
    found: list[list[int]] = []
    order = sorted(range(len(utterances)), key=lambda k: (utterances[k].speaker, utterances[k].speed))
    now: list[int] = []
    for k in order:
        this = utterances[k]
        if now and not _fits(now, this, utterances):
            found.append(now)
            now = []
        now.append(k)
        if this.text[-1] not in ".?!":
            found.append(now)
            now = []
    if now:
        found.append(now)
    np.random.default_rng(seed).shuffle(found)
    return found


def _fits(now: list[int], this: Utterance, utterances: list[Utterance]) -> bool:
    first, size = utterances[now[0]], sum(len(utterances[k].tokens) + 1 for k in now) + len(this.tokens)
    near = first.speaker == this.speaker and this.speed - first.speed <= _SPEED_APART
    return near and len(now) < _MOST_TOGETHER and size <= _MOST_TOKENS


@dataclass
class Shard:
    """What a shard holds: frames end to end, and a row for each utterance.

    Attributes:
        rows: number in the plan, first frame, frames, first frame and end of the speech in it.
    """

    mel: list[np.ndarray] = field(default_factory=list)  # f16 [frames, 100]
    wave: list[np.ndarray] = field(default_factory=list)  # f16 [frames * 256]
    phone: list[np.ndarray] = field(default_factory=list)  # i16 [frames]
    rows: list[tuple[int, ...]] = field(default_factory=list)
    frames: int = 0
    left_out: int = 0

    def add(self, number: int, found: speaking.Trimmed, phone: np.ndarray) -> None:
        """One utterance; `phone` has a label for each of its frames."""
        n = len(found.wave) // HOP
        self.mel.append(mel_spectrogram(found.wave)[:n].astype(np.float16))
        self.wave.append(found.wave.astype(np.float16))
        self.phone.append(phone)
        self.rows.append((number, self.frames, n, found.start, found.end))
        self.frames += n

    def write(self, path: Path) -> None:
        """Write beside, then rename. An empty shard is written too: it has been spoken."""
        empty = {"mel": np.zeros((0, 100), np.float16), "wave": np.zeros(0, np.float16), "phone": np.zeros(0, np.int16)}
        arrays = {k: np.concatenate(v) if (v := getattr(self, k)) else e for k, e in empty.items()}
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, rows=np.array(self.rows, np.int64).reshape(-1, 5), **arrays)
        os.replace(partial, path)


def speak_group(plan: Plan, group: list[int], voice: kokoro.Teacher, styles: dict[str, np.ndarray], shard: Shard,
                rng: np.random.Generator) -> None:  # fmt: skip
    """Speak a group and add its utterances; one whose cut cannot be trusted is left out."""
    mine = [plan.utterances[k] for k in group]
    period = alphabet()["."]
    full, bounds = [0], []
    for utterance in mine:
        full += utterance.tokens
        bounds.append(len(full))
        full.append(period)
    full[-1] = 0
    size = int(np.mean([len(u.tokens) for u in mine])) + 2
    wave, durations = voice(
        full, style(plan.speakers[mine[0].speaker], styles, size), float(np.mean([u.speed for u in mine]))
    )
    if not np.isfinite(wave).all() or np.abs(wave).max() < 0.02:
        shard.left_out += len(group)
        return
    phones = speaking.frame_phones(full, durations, len(wave) // HOP)
    cuts = _cuts(wave, durations, bounds)
    for at, (number, utterance) in enumerate(zip(group, mine, strict=True)):
        low, high = cuts[at], cuts[at + 1]
        if min(low, high) < 0 or high - low < _FEWEST_FRAMES:
            shard.left_out += 1
            continue
        found = speaking.trimmed(wave[low * HOP : high * HOP], LEVEL * float(np.exp(rng.normal() * 0.12)))
        n, pace = len(found.wave) // HOP, (found.end - found.start) / max(len(utterance.text), 6)
        cut_into = (at > 0 and found.start < 2) or (at + 1 < len(group) and n - found.end < 2)
        if not _PACE[0] < pace < _PACE[1] or cut_into:
            shard.left_out += 1
            continue
        said = phones[low + found.first : low + found.first + n].copy()
        said[: found.start] = said[found.end + 1 :] = 0
        shard.add(number, found, said)


def _cuts(wave: np.ndarray, durations: np.ndarray, bounds: list[int]) -> list[int]:
    """Frames at which a group is cut: the quietest near each pause, -1 where there is none."""
    spent, loud = np.cumsum(durations) * kokoro.FRAME, speaking.frame_levels(wave)
    cuts = [0]
    for at in bounds[:-1]:
        low = max(int(spent[at - 2] // HOP), cuts[-1] + 5)
        high = min(int(spent[at] // HOP) + 3, len(loud) - 1)
        cuts.append(low + int(loud[low:high].argmin()) if high > low else -1)
    return [*cuts, len(loud)]


@dataclass(frozen=True)
class TeachJob:
    """What a process needs to speak its share of the shards."""

    work: Path
    teacher_folder: Path
    device: str
    processes: int = 1
    shards: int | None = None
    per_shard: int = GROUPS_A_SHARD


def teach(job: TeachJob, load: Any = None) -> None:
    """Speak all shards (or the first `job.shards`) that are not there, in so many processes, each with its own teacher.

    Args:
        load: gives the teacher and its styles; by default those of `job.teacher_folder`.
    """
    if job.processes == 1:
        _speak_share(0, job, load)
    else:
        torch.multiprocessing.spawn(_speak_share, (job, load), nprocs=job.processes)


def _load(job: TeachJob) -> tuple[kokoro.Teacher, dict[str, np.ndarray]]:
    return kokoro.load(job.teacher_folder, job.device), kokoro.load_styles(job.teacher_folder)


def _speak_share(rank: int, job: TeachJob, load: Any) -> None:
    if job.processes > 1:
        torch.set_num_threads(1)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    plan, folder = Plan.read(job.work / "plan.json"), job.work / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    every = groups(plan.utterances)
    parts = [every[at : at + job.per_shard] for at in range(0, len(every), job.per_shard)][: job.shards]
    paths = [folder / f"shard-{k:04d}.npz" for k in range(len(parts))]
    mine = [k for k in range(rank, len(parts), job.processes) if not paths[k].exists()]
    if not mine:
        return
    voice, styles = (load or _load)(job)
    began, frames = time.monotonic(), 0
    for done, k in enumerate(mine, 1):
        shard, rng = Shard(), np.random.default_rng(k)
        torch.manual_seed(k)
        for group in parts[k]:
            speak_group(plan, group, voice, styles, shard, rng)
        shard.write(paths[k])
        frames += shard.frames
        spent = time.monotonic() - began
        if rank == 0:
            hours, left = frames * job.processes * HOP / SAMPLE_RATE_HZ / 3600, spent / done * (len(mine) - done)
            log.info("shard %d of %d  about %.2f h of speech  %d left out  %.0f s left",
                     done * job.processes, len(mine) * job.processes, hours, shard.left_out, left)  # fmt: skip
