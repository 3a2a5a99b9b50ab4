"""Keys of chunks: chunks with equal keys have exactly equal samples."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from workbench.engine.model.backends import equality_of

if TYPE_CHECKING:  # loading imports torch
    from workbench.engine.model.loading import Loaded
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.text import Chunk
    from workbench.engine.speech.voices import Voice

REVISION = 1  # raise it when a change of the code changes the samples of an unchanged request
# These settings act only on the words, length and seed of a chunk, or after its synthesis. All other settings, also
# later ones, are part of the key.
ACT_ELSEWHERE = frozenset(
    {"cross_fade_duration", "fix_duration", "keep_trajectory", "max_chunk_bytes", "numbers", "seed", "speed"}
)
_models: WeakKeyDictionary[Loaded, str] = WeakKeyDictionary()


def key_of(loaded: Loaded, voice: Voice, settings: SynthesisSettings, chunk: Chunk) -> str:
    """Return the key of ``chunk``, 64 hexadecimal digits: a hash of model, machine, voice, words, settings and seed."""
    chosen = {name: _plain(value) for name, value in settings.as_dict().items() if name not in ACT_ELSEWHERE}
    decides = {
        "revision": REVISION, "model": model_fingerprint(loaded),
        "backend": equality_of(loaded.backend.recorded), "device": loaded.device.split(":")[0], "dtype": loaded.dtype,
        "machine": _machine(loaded.device, _threads()), "voice": voice.id, "words": chunk.text,
        "frames": chunk.duration_frames, "seed": chunk.seed, "settings": chosen,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def model_fingerprint(loaded: Loaded) -> str:
    """Return the sha256 of the model in memory: weights of model and vocoder, vocabulary, architecture.

    Files and manifests are not used, because they may have changed since loading. Computed once per ``loaded``.
    """
    if loaded not in _models:
        spec = asdict(loaded.spec)
        decides = {name: spec[name] for name in ("backbone", "arch", "mel")} | {
            "frame": list(loaded.spec.frame), "vocabulary": loaded.cfm.vocab_char_map,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode())
        for part in (loaded.cfm, loaded.vocoder):
            _add_weights(digest, part)
        _models[loaded] = digest.hexdigest()
    return _models[loaded]


def _add_weights(digest: Any, module: Any) -> None:
    import torch

    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())


def _plain(value: Any) -> Any:
    """Return ``value`` so that 2 and 2.0 give one key."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _threads() -> int:
    import torch

    return torch.get_num_threads()


@lru_cache(8)
def _machine(device: str, threads: int) -> dict[str, str]:
    """Return the versions and the hardware on which the exact samples depend."""
    import torch

    from workbench.engine.model.devices import environment

    found = environment() | {"threads": str(threads), "precision": torch.get_float32_matmul_precision()}
    del found["python"]
    if device.startswith("cuda"):
        return found | {"gpu": torch.cuda.get_device_name(device)}
    return found | {"capability": torch.backends.cpu.get_cpu_capability(), "processor": _processor()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
