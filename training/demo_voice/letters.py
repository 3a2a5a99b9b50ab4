"""First lesson, on text alone: the text layers learn to spell out phonemes.

espeak-ng gives the phonemes of any text without speaking (75,000 words a second), and the text layers run over
characters, about six times fewer than frames. So letters-to-sounds, the slow half of learning to read aloud, is learnt
some twenty times cheaper here than from speech. CTC over two slots a character needs no alignment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice import network
from training.demo_voice.espeak import Espeak
from training.demo_voice.optim import Muon
from training.demo_voice.records import Curve, save_state
from training.demo_voice.texts import TextSource

SLOTS = 2


@dataclass(frozen=True)
class LettersPlan:
    """How long and how fast: steps, characters a batch, peak learning rate, frames a character (low, high)."""

    steps: int = 4000
    batch_chars: int = 2500
    learning_rate: float = 2e-3
    frames_per_char: tuple[float, float] = (4.2, 7.0)
    seed: int = 1


class Speller(nn.Module):
    """Upstream's TextEmbedding with a phoneme head on each character."""

    def __init__(self, text_embed: Any, n_phonemes: int) -> None:
        super().__init__()
        self.text_embed = text_embed
        self.head = nn.Linear(text_embed.text_embed.embedding_dim, SLOTS * (n_phonemes + 1))

    def forward(self, ids: Tensor, n_chars: Tensor, n_frames: Tensor) -> Tensor:
        """Log-probabilities [b, SLOTS * n, n_phonemes + 1]; 0 is CTC's blank."""
        encoded = network.encode_characters(self.text_embed, ids, n_chars, n_frames)[:, : ids.shape[1]]
        logits = self.head(encoded)
        return logits.view(len(ids), ids.shape[1] * SLOTS, -1).log_softmax(-1)


def phoneme_table(espeak: Espeak, source: TextSource, samples: int = 20000) -> dict[str, int]:
    """Number espeak-ng's phonemes (stress marks included) from 1, the rare ones left out."""
    counts: dict[str, int] = {}
    for _ in range(samples):
        for name in espeak.phonemes(source.utterance(source.rng.randint(1, 8))):
            counts[name] = counts.get(name, 0) + 1
    return {name: i + 1 for i, name in enumerate(sorted(n for n, c in counts.items() if c >= 5))}


def batches(
    plan: LettersPlan, espeak: Espeak, source: TextSource, table: dict[str, int]
) -> Iterator[tuple[Tensor, ...]]:
    """Endless (ids, n_chars, n_frames, targets, n_targets); one word to 400 characters."""
    while True:
        words = min(60, max(1, int(math.exp(source.rng.gauss(1.8, 0.9)))))
        rows, targets = [], []
        for _ in range(max(4, plan.batch_chars // (6 * words + 4))):
            text = source.utterance(min(words, 25))
            while len(text.split()) < words:
                text += " " + source.utterance(min(words, 25))
            rows.append(network.tokens(text)[:400])
            targets.append([table[p] for p in espeak.phonemes(text) if p in table])
        ids, n_chars = network.pad_tokens(rows)
        stretch = torch.empty(len(rows)).uniform_(*plan.frames_per_char)
        flat = torch.tensor([p for row in targets for p in row])
        yield ids, n_chars, (n_chars * stretch).long(), flat, torch.tensor([len(t) for t in targets])


def error_rate(log_probs: Tensor, n_chars: Tensor, flat: Tensor, n_targets: Tensor) -> float:
    """Phoneme error rate of the greedy reading of one batch."""
    from training.demo_voice.metrics import collapse, edit_distance

    errors, at = 0, 0
    for row, n, k in zip(log_probs.argmax(-1), n_chars.tolist(), n_targets.tolist(), strict=True):
        errors += edit_distance(collapse(row[: n * SLOTS].tolist(), silence=0), flat[at : at + k].tolist())
        at += k
    return errors / max(1, at)


def train_letters(plan: LettersPlan, folder: Path, text_embed: Any, fresh: bool = True) -> None:
    """Train `text_embed` in place; curve and weights go to `folder` (letters.csv, letters.pt).

    With `fresh` false the layers have learnt before and stay as they are, so that the blocks that know them go on
    knowing them: only the phoneme head is learnt.
    """
    network.seed_everything(plan.seed)
    source, espeak = TextSource.load(plan.seed), Espeak()
    table = phoneme_table(espeak, source)
    if fresh:
        network.tie_capitals(text_embed)
    model = Speller(text_embed.requires_grad_(fresh), len(table))
    matrices = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim == 2 and "pwconv" in n]
    others = [p for n, p in model.named_parameters() if p.requires_grad and not (p.ndim == 2 and "pwconv" in n)]
    optimizers: list[torch.optim.Optimizer] = [Muon(matrices, plan.learning_rate)] if matrices else []
    optimizers.append(torch.optim.AdamW(others, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.0))
    curve = Curve(folder / "letters.csv", ("step", "loss", "phoneme_error", "chars_per_second"))
    started, seen, stream = time.perf_counter(), 0, batches(plan, espeak, source, table)
    for step in range(1, plan.steps + 1):
        ids, n_chars, n_frames, flat, n_targets = next(stream)
        log_probs = model(ids, n_chars, n_frames)
        loss = F.ctc_loss(log_probs.transpose(0, 1), flat, n_chars * SLOTS, n_targets, zero_infinity=True)
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scale = min(1.0, step / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = plan.learning_rate * scale
            optimizer.step()
        seen += int(n_chars.sum())
        if step % 50 == 0:
            rate = error_rate(log_probs.detach(), n_chars, flat, n_targets)
            curve.add(step, loss.item(), rate, seen / (time.perf_counter() - started))
        if step % 200 == 0 or step == plan.steps:
            save_state(
                folder / "letters.pt",
                {"text_embed": text_embed.state_dict(), "head": model.head.state_dict(), "table": table, "step": step},
            )
