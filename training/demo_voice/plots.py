"""One page that shows an evaluation: errors by kind, distance from truth, the training, a mel and its truth."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from training.demo_voice.evaluate import Spoken
from training.demo_voice.held_out import Case


def page(path: Path, document: dict[str, Any], cases: list[Case], spoken: list[Spoken], curve: Path) -> None:
    """Draw the page as PNG. `curve` is the acoustic training's CSV; left out when it is not there."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 11), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 2)
    _errors(axes[0, 0], document)
    _distances(axes[0, 1], spoken)
    _training(axes[1, 0], curve, ("phone_loss", "spelling"), "loss")
    _training(axes[1, 1], curve, ("phone_accuracy",), "phones right near t = 0")
    longest = int(np.argmax([len(s.mel) for s in spoken if s.mel is not None][:20]))
    for axis, mel, title in (
        (axes[2, 0], spoken[longest].mel, "generated, then decoded"),
        (axes[2, 1], cases[longest].truth.mel, "espeak-ng"),
    ):
        axis.imshow(
            mel.T, origin="lower", aspect="auto", vmin=-10, vmax=2, extent=(0, len(mel) * 256 / 24000, 0, mel.shape[1])
        )
        axis.set_title(f"{title}: {spoken[longest].text[:32]}...", fontsize=10)
        axis.set(xlabel="seconds", ylabel="mel band")
    figure.savefig(path, dpi=90)


def _errors(axis: Any, document: dict[str, Any]) -> None:
    kinds = document["by_kind"]
    axis.bar(list(kinds), [100 * k["phone_error_rate"] for k in kinds.values()])
    axis.axhline(100 * document["phone_error_rate"], color="black", linewidth=0.8)
    true = document["phone_error_rate_of_true_speech"]
    title = f"phone error {document['phone_error_rate']:.1%} (true speech {true:.1%})"
    axis.set(title=title, ylabel="%")


def _distances(axis: Any, spoken: list[Spoken]) -> None:
    for name in ("floor", "generated", "chance"):
        axis.hist([s.mcd[name] for s in spoken], bins=15, alpha=0.6, label=name)
    axis.legend()
    axis.set(title="mel-cepstral distortion from espeak-ng's reading", xlabel="dB", ylabel="sentences")


def _training(axis: Any, curve: Path, columns: tuple[str, ...], label: str) -> None:
    axis.set(title="training", xlabel="step", ylabel=label)
    if not curve.exists():
        return
    with curve.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in columns:
        axis.plot([int(r["step"]) for r in rows], [float(r[column]) for r in rows], label=column)
    axis.legend()
