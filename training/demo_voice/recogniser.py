"""A small phone recogniser, trained on espeak-ng's speech: the ear that measures whether the text was spoken.

Convolutions (two frames to one) and a bidirectional GRU read the mel; CTC gives the phone sequence, and a second head
with the exact frame labels makes CTC find it in minutes. General recognisers fail on espeak-ng's own speech.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice.corpus import Corpus
from training.demo_voice.metrics import collapse, edit_distance
from training.demo_voice.records import Curve, save_state

STRIDE = 2
EXPORTED = "recogniser.npz"
BLANK = 0  # takes the number of silence, which is never a target
_SHIFT, _SCALE = 5.0, 0.25


@dataclass(frozen=True)
class RecogniserPlan:
    """Steps, frames a batch, peak learning rate; utterances up to `longest_frames` are used."""

    steps: int = 900
    batch_frames: int = 6000
    learning_rate: float = 2e-3
    longest_frames: int = 900
    seed: int = 3


def normalised(mel: Tensor) -> Tensor:
    """A log mel near zero mean and unit spread."""
    return (mel + _SHIFT) * _SCALE


class Ear(nn.Module):
    """Whatever reads a mel [b, n, 100] as CTC and frame logits, both [b, ceil(n / 2), n_phones]."""

    @torch.inference_mode()
    def phones(self, mel: np.ndarray) -> list[int]:
        """Greedy reading of one utterance [frames, 100]: phone numbers without silence."""
        logits = self(torch.from_numpy(np.ascontiguousarray(mel, np.float32))[None])[0]
        return collapse(logits[0].argmax(-1).tolist(), silence=BLANK)


class Recogniser(Ear):
    """Mel [b, n, 100] to CTC and frame logits, both [b, ceil(n / 2), n_phones]."""

    def __init__(self, n_phones: int, hidden: int = 192) -> None:
        super().__init__()
        self.hidden, self.n_phones = hidden, n_phones
        layers: list[nn.Module] = []
        for width, stride in ((100, 1), (hidden, STRIDE), (hidden, 1)):
            layers += [nn.Conv1d(width, hidden, 5, stride=stride, padding=2), nn.GELU()]
        self.front = nn.Sequential(*layers)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.ctc = nn.Linear(2 * hidden, n_phones)
        self.frame = nn.Linear(2 * hidden, n_phones)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of both heads."""
        h = self.front(normalised(mel).transpose(1, 2)).transpose(1, 2)
        h = self.gru(h)[0]
        return self.ctc(h), self.frame(h)

    @torch.inference_mode()
    def timed_phones(self, mel: np.ndarray) -> list[tuple[int, int]]:
        """The same reading with positions: (phone, mel frame at which CTC emits it)."""
        best = self(torch.from_numpy(np.ascontiguousarray(mel, np.float32))[None])[0][0].argmax(-1).tolist()
        changed = [i for i, p in enumerate(best) if p != BLANK and (i == 0 or best[i - 1] != p)]
        return [(best[i], i * STRIDE) for i in changed]


def error_rate(model: Ear, utterances: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Phone error rate over (mel, frame labels) pairs."""
    errors = total = 0
    for mel, labels in utterances:
        truth = collapse(labels.tolist(), silence=BLANK)
        errors += edit_distance(model.phones(mel), truth)
        total += len(truth)
    return errors / max(1, total)


def _batch(corpus: Corpus, order: list[int], plan: RecogniserPlan, rng: random.Random) -> list[int]:
    """Utterances of similar length from a random place of the order by length."""
    at = rng.randrange(len(order))
    chosen: list[int] = []
    while at < len(order) and (len(chosen) + 1) * len(corpus.mel[order[at]]) <= plan.batch_frames:
        chosen.append(order[at])
        at += rng.randint(1, 3)
    return chosen or [order[0]]


def _loss(model: Ear, corpus: Corpus, chosen: list[int], rng: random.Random) -> Tensor:
    lens = torch.tensor([len(corpus.mel[i]) for i in chosen])
    n = -(-int(lens.max()) // STRIDE) * STRIDE
    mel = torch.full((len(chosen), n, 100), float(np.log(1e-5)))
    labels = torch.zeros(len(chosen), n, dtype=torch.long)
    for row, i in enumerate(chosen):
        mel[row, : lens[row]] = torch.from_numpy(corpus.mel[i].astype(np.float32))
        labels[row, : lens[row]] = torch.from_numpy(corpus.phones[i].astype(np.int64))
    # loudness and a little blur in level, so that a generated mel is read as well as a true one
    mel = (mel + rng.uniform(-0.7, 0.7) + torch.randn_like(mel) * rng.uniform(0, 0.5)).clamp(min=float(np.log(1e-5)))
    ctc, frame = model(mel)
    sequences = [collapse(corpus.phones[i].tolist(), silence=BLANK) for i in chosen]
    flat = torch.tensor([p for s in sequences for p in s])
    targets = torch.tensor([len(s) for s in sequences])
    log_probs = ctc.log_softmax(-1).transpose(0, 1)
    alignment = F.ctc_loss(log_probs, flat, (lens + 1) // STRIDE, targets, blank=BLANK, zero_infinity=True)
    return alignment + F.cross_entropy(frame.transpose(1, 2), labels[:, ::STRIDE])


def train_recogniser(
    plan: RecogniserPlan, path: Path, corpus: Corpus, model: Ear, held_out: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Train `model` on the corpus; the curve beside `path` has the error on `held_out` (mel, labels)."""
    rng = random.Random(plan.seed)
    optimizer = torch.optim.AdamW(model.parameters(), plan.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.steps + 1, pct_start=0.1)
    order = sorted(
        (i for i, m in enumerate(corpus.mel) if len(m) <= plan.longest_frames), key=lambda i: len(corpus.mel[i])
    )
    curve = Curve(path.with_suffix(".csv"), ("step", "loss", "held_out_error", "frames_per_second"))
    frames, started = 0, time.perf_counter()
    for step in range(1, plan.steps + 1):
        chosen = _batch(corpus, order, plan, rng)
        loss = _loss(model, corpus, chosen, rng)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        frames += sum(len(corpus.mel[i]) for i in chosen)
        if step % 100 == 0 or step == plan.steps:
            model.eval()
            curve.add(step, loss.item(), error_rate(model, held_out), frames / (time.perf_counter() - started))
            model.train()
    save_state(path, {"model": model.state_dict(), "hidden": model.hidden, "n_phones": model.n_phones})


def load_recogniser(path: Path) -> Recogniser:
    """A trained recogniser from `recogniser.pt`."""
    state = torch.load(path, weights_only=True)
    model = Recogniser(state["n_phones"], state["hidden"])
    model.load_state_dict(state["model"])
    return model.eval()


def export_recogniser(model: Recogniser, phones: dict[str, int], folder: Path) -> None:
    """Write `recogniser.npz`: weights in fp16, phones. Not safetensors: a voice's folder has one model to import."""
    weights = {k: v.half().numpy() for k, v in model.state_dict().items()}
    np.savez_compressed(folder / EXPORTED, phones=np.array(json.dumps(phones)), **weights)


def load_exported(folder: Path) -> tuple[Recogniser, dict[str, int]]:
    """The recogniser that was exported with a voice, and its phones."""
    with np.load(folder / EXPORTED) as file:
        phones = json.loads(str(file["phones"]))
        state = {k: torch.from_numpy(file[k]).float() for k in file.files if k != "phones"}
    model = Recogniser(state["ctc.weight"].shape[0], state["ctc.weight"].shape[1] // 2)
    model.load_state_dict(state)
    return model.eval(), phones
