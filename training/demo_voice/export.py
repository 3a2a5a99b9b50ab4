"""From checkpoints to the folder that ships: the layout of the released models, checked by loading it with upstream."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from training.demo_voice.acoustic import network
from training.demo_voice.errors import CorpusError
from training.demo_voice.teacher import phonemes, speaking
from training.demo_voice.teacher.kokoro import Teacher
from training.demo_voice.teacher.voices import REFERENCES, Speaker
from training.demo_voice.texts.characters import write_vocab
from training.demo_voice.vocoder import finish
from training.demo_voice.vocoder.network import CONFIG, load_vocoder
from workbench.engine.catalog import VocoderConfig, check_model, check_vocoder
from workbench.engine.settings import MelConfig
from workbench.engine.signal.audio import write_audio


def export_acoustic(average: dict[str, Tensor], folder: Path, name: str, arch: dict[str, Any] | None = None) -> Path:
    """Write config.yaml, vocab.txt and `model_<name>.safetensors` (fp16, keys under `ema_model.`)."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    write_vocab(folder / "vocab.txt")
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


def export_vocoder(average: dict[str, Tensor], folder: Path, config: VocoderConfig | None = None) -> Path:
    """Write vocos/config.yaml and vocos/model.safetensors (fp16)."""
    from safetensors.torch import save_file

    (folder / "vocos").mkdir(parents=True, exist_ok=True)
    checked = check_vocoder((config or CONFIG).as_dict()).as_dict()
    (folder / "vocos" / "config.yaml").write_text(yaml.safe_dump(checked, sort_keys=False), encoding="utf-8")
    path = folder / "vocos" / "model.safetensors"
    save_file({k: v.half().contiguous() for k, v in average.items() if not k.startswith("feature_extractor.")}, path)
    path.chmod(0o644)
    return path


def export_voices(
    folder: Path, teacher: Teacher, styles: dict[str, Any], phonemize: phonemes.Phonemizer | None = None
) -> None:
    """Have the teacher speak the bundled references, and write them and voices.json."""
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    for old in (folder / "voices").glob("*.flac"):
        old.unlink()
    entries = []
    for name, (voice, text) in REFERENCES.items():
        who = Speaker.pure(voice)
        wave = speaking.say(teacher, styles, who, phonemes.tokens([text], who.british, phonemize)[0])
        file, rate = f"voices/{name.lower()}.flac", speaking.SAMPLE_RATE_HZ
        write_audio(folder / file, wave, rate)
        entries.append({"name": name, "file": file, "text": text, "seconds": round(len(wave) / rate, 2)})
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


def assemble(
    work: Path,
    folder: Path,
    name: str,
    teacher: Teacher,
    styles: dict[str, Any],
    phonemize: phonemes.Phonemizer | None = None,
    gain: float = 1.0,
) -> dict[str, Any]:
    """Write the checkpoints of a work folder as a voice, and prove that it loads; returns its lock.

    Args:
        gain: of the height of harmonics in the mels that the vocoder reads (`vocoder.finish`); 1 leaves them.

    Raises:
        CorpusError: one of the two is not trained yet.
    """
    states = {}
    for part in ("acoustic", "vocoder"):
        path = work / part / f"{part}.pt"
        if not path.exists():
            raise CorpusError(f"{path} is missing.", remedy=f"Run: python -m training.demo_voice {part} --work {work}")
        states[part] = torch.load(path, map_location="cpu", weights_only=True)
    export_acoustic(states["acoustic"]["average"], folder, name, states["acoustic"]["arch"])
    export_vocoder(
        finish.finished(states["vocoder"]["average"], gain), folder, check_vocoder(states["vocoder"]["config"])
    )
    export_voices(folder, teacher, styles, phonemize)
    lock = write_lock(folder)
    network.load_cfm(folder), load_vocoder(folder)
    return lock
