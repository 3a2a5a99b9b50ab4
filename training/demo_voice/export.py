"""From checkpoints to the folder that ships: the layout of the released models, checked by loading it with upstream."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from training.demo_voice import network, vocoder
from training.demo_voice.corpus import SAMPLE_RATE_HZ, record
from training.demo_voice.espeak import Espeak, Speaker
from training.demo_voice.texts import CorpusError
from workbench.engine.catalog import check_model, check_vocoder, read_config, read_vocoder
from workbench.engine.model.weights import read_state, vocos_of
from workbench.engine.settings import MelConfig
from workbench.engine.signal.audio import write_audio

VOICES: tuple[tuple[str, Speaker, str], ...] = (
    ("Nora", Speaker("steph", 60, 52, 192), "The lake was calm and bright, and two white boats drifted by."),
    ("Arthur", Speaker("", 38, 46, 176), "The morning train was late again, so we walked to the river."),
    ("Clara", Speaker("f1", 52, 48, 198), "My sister keeps a small garden, full of herbs and yellow roses."),
    ("Victor", Speaker("m8", 30, 40, 179), "Every good story begins with a question nobody dares to answer."),
)
"""Name, espeak-ng speaker and words of the reference voices that are bundled; the first, the clearest, is the default.

Rates are such that a character takes five mel frames. Attention takes time with the square of all frames, the
reference's among them, so references are short.
"""


def export_acoustic(average: dict[str, Tensor], folder: Path, name: str, arch: dict[str, Any] | None = None) -> Path:
    """Write config.yaml, vocab.txt and `model_<name>.safetensors` (fp16, keys under `ema_model.`).

    Raises:
        WeightsError: `arch` is not one that can be imported and run.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    network.write_vocab(folder / "vocab.txt")
    mel = MelConfig()
    spec = {
        "target_sample_rate": mel.target_sample_rate,
        "n_mel_channels": mel.n_mel_channels,
        "hop_length": mel.hop_length,
        "win_length": mel.win_length,
        "n_fft": mel.n_fft,
        "mel_spec_type": mel.mel_spec_type,
    }
    config = {
        "model": {
            "name": "demo-voice",
            "tokenizer": "custom",
            "backbone": "DiT",
            "arch": arch or network.ARCH,
            "mel_spec": spec,
        }
    }
    check_model(config["model"], "The voice's configuration")
    text = "# the layout of f5_tts/configs/*.yaml\n" + yaml.safe_dump(config, sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    state = {f"ema_model.transformer.{k}": v.half().contiguous() for k, v in average.items()}
    for old in folder.glob("model_*.safetensors"):
        old.unlink()
    path = folder / f"model_{name}.safetensors"
    save_file(state, path)
    path.chmod(0o644)  # safetensors writes it for the owner alone
    return path


def between(average: dict[str, Tensor], folder: Path, share: float = 0.5) -> dict[str, Tensor]:
    """Weights on the straight line from those of the voice in `folder`, where their training began, to these.

    Two ends of one training make other mistakes, and between them the loss is lower than at either: 9.2 and 12.7 % of
    the phones wrong at the ends of the last training, 7.9 % half-way (LOG.md; Wortsman et al., Model soups, 2022).

    Args:
        share: 0 is the voice in `folder`, 1 the new weights.

    Raises:
        CorpusError: that voice is of another shape.
    """
    began = load_exported(folder)[0].transformer.state_dict()
    if {k: v.shape for k, v in began.items()} != {k: v.shape for k, v in average.items()}:
        raise CorpusError(
            f"the voice in {folder} has other layers than this training", remedy="name the one that it began with"
        )
    return {k: torch.lerp(began[k], v, share) if v.is_floating_point() else v for k, v in average.items()}


def export_vocoder(average: dict[str, Tensor], folder: Path) -> Path:
    """Write vocos/config.yaml and vocos/model.safetensors (fp32: it is small, and heard last)."""
    from safetensors.torch import save_file

    (folder / "vocos").mkdir(parents=True, exist_ok=True)
    config = check_vocoder(vocoder.CONFIG.as_dict()).as_dict()
    (folder / "vocos" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    path = folder / "vocos" / "model.safetensors"
    save_file({k: v.contiguous() for k, v in average.items() if not k.startswith("feature_extractor.")}, path)
    path.chmod(0o644)
    return path


def export_voices(folder: Path, espeak: Espeak) -> None:
    """Speak and write the bundled reference recordings and voices.json."""
    import numpy as np

    (folder / "voices").mkdir(parents=True, exist_ok=True)
    for old in (folder / "voices").glob("*.flac"):
        old.unlink()
    entries = []
    for name, speaker, text in VOICES:
        espeak.use(speaker)
        spoken = record(espeak, text, {})
        wave = np.concatenate([spoken.audio, np.zeros(SAMPLE_RATE_HZ // 20, np.float32)])
        file = f"voices/{name.lower()}.flac"
        write_audio(folder / file, wave, SAMPLE_RATE_HZ)
        entries.append({"name": name, "file": file, "text": text, "seconds": round(len(wave) / SAMPLE_RATE_HZ, 2)})
    (folder / "voices" / "voices.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def write_lock(folder: Path) -> dict[str, Any]:
    """Write lock.json: sha256 and size of every file that the engine reads."""
    files = [folder / "config.yaml", folder / "vocab.txt", *folder.glob("model_*.safetensors")]
    files += [p for sub in ("vocos", "voices") for p in (folder / sub).iterdir() if p.is_file()]
    found = {}
    for path in sorted(files):
        data = path.read_bytes()
        found[path.relative_to(folder).as_posix()] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    lock = {"model": "demo-voice", "files": found}
    (folder / "lock.json").write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return lock


def load_exported(folder: Path) -> tuple[Any, Any]:
    """CFM and Vocos from an exported folder, in eval mode, exactly as saved."""
    _, arch, _ = read_config(folder / "config.yaml")
    cfm = network.build_cfm(arch)
    weights = read_state(next(iter(sorted(folder.glob("model_*.safetensors")))))
    cfm.load_state_dict({k.removeprefix("ema_model."): v.float() for k, v in weights.items()})
    return cfm.eval(), load_vocoder(folder)


def load_vocoder(folder: Path) -> Any:
    """Vocos from an exported folder, in eval mode, exactly as saved."""
    vocos = vocos_of(read_vocoder(folder / "vocos" / "config.yaml"))
    vocos.load_state_dict(read_state(folder / "vocos" / "model.safetensors"), strict=False)
    return vocos.eval()
