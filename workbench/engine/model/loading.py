"""Load models from local files into memory and time each step. Uses no network."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine import cache, upstream
from workbench.engine.catalog import ModelFiles, ModelSpec, read_vocoder
from workbench.engine.loads import count_load, n_loads
from workbench.engine.logs import pairs
from workbench.engine.model import backends
from workbench.engine.model.backends.base import Backend
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.devices import choose_device, choose_dtype, waiting_for
from workbench.engine.model.weights import (
    acoustic_state,
    build_cfm,
    build_vocoder,
    load_strictly,
    read_vocab,
    vocoder_state,
)
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.settings import LoadSettings
from workbench.engine.timing import Span, Timeline

log = logging.getLogger("workbench.loading")

# always fp32: 8 bits of mantissa are too few for positions and times, and these modules cost almost nothing
_ALWAYS_FP32 = ("time_embed", "text_embed", "rotary_embed")


def load_counts(model: str) -> dict[str, int]:
    """How often this process has loaded the acoustic model and the vocoder of ``model``."""
    return {kind: n_loads(kind, model) for kind in ("acoustic", "vocoder")}


@dataclass(frozen=True, eq=False)
class Loaded:
    """Models in memory, ready to speak.

    Attributes:
        spec: what was loaded.
        files: paths of its files; None for random weights.
        device: torch device string.
        dtype: "fp32", "fp16" or "bf16", of the acoustic model; the vocoder is always fp32.
        cfm: upstream's CFM in eval mode.
        vocoder: Vocos in eval mode.
        spans: seconds of resolve, import, read_weights, build, to_device and warmup.
        window_frames: mel frames the backbone has text positions for.
        chosen: what was asked for.
        folder: where the files were looked for first, or "".
        backend: how the acoustic model is evaluated.
        layer: which weights of the checkpoint: "ema" or "raw"; "" for random ones.
    """

    spec: ModelSpec
    files: ModelFiles | None
    device: str
    dtype: str
    cfm: Any
    vocoder: Any
    spans: tuple[Span, ...]
    window_frames: int
    chosen: LoadSettings = LoadSettings()
    folder: str = ""
    backend: Backend = field(default_factory=Eager)
    layer: str = ""

    def tokens(self, text: str) -> list[str]:
        """Upstream's tokens of ``text``: characters, and pinyin for Chinese."""
        from f5_tts.model.utils import convert_char_to_pinyin

        tokens: list[str] = convert_char_to_pinyin([text])[0]
        return tokens

    def unknown(self, text: str) -> list[str]:
        """Tokens of ``text`` that the vocabulary lacks, each once. Upstream silently speaks them as a space."""
        known = self.cfm.vocab_char_map
        return list(dict.fromkeys(t for t in self.tokens(text) if t not in known and not t.isspace()))

    @cached_property
    def weights(self) -> dict[str, str]:
        """What a run keeps of them: as in ``results.Run.weights``."""
        if self.files is None:
            return {"acoustic": "", "vocoder": ""}
        paths = {"acoustic": self.files.weights, "vocoder": self.files.vocoder_weights}
        found = {kind: cache.pinned_sha256(path) for kind, path in paths.items()} | {"layer": self.layer}
        found |= {"revision": self.files.revision} if self.files.revision else {}
        return found | ({"picked": self.files.picked[:300]} if self.files.picked else {})

    @property
    def synchronize(self) -> Callable[[], None] | None:
        """Function that waits for this very device; None if it works synchronously."""
        return waiting_for(self.device)


def load(
    spec: ModelSpec,
    chosen: LoadSettings = LoadSettings(),
    *,
    folder: Path | None = None,
    built: Callable[[], tuple[Any, Any]] | None = None,
) -> Loaded:
    """Build the acoustic model and the vocoder of ``spec`` from local files, and run both once.

    Args:
        spec: from the catalogue.
        chosen: device, number format, backend, and which weights of the checkpoint.
        folder: take the weights from here, not from the caches.
        built: makes (CFM, Vocos) instead of reading files; see ``random_weights.build``.

    Raises:
        WeightsError: files are missing, cut short, unsafe or of another architecture.
        DeviceError: the device or format is not available.
    """
    timeline = Timeline()
    device = choose_device(chosen.device)  # before what takes seconds
    dtype = choose_dtype(chosen.dtype, device)
    files, layer = None, ""
    if built is None:
        with timeline.span("resolve"):
            files = cache.resolve(spec, folder=folder)
    with timeline.span("import"):
        upstream.install()
        import vocos  # noqa: F401
        from f5_tts.model import CFM  # noqa: F401
    if built is not None:
        with timeline.span("build"):
            cfm, vocoder = built()
        count_load("acoustic", spec.name)
        count_load("vocoder", spec.name)
    else:
        assert files is not None
        cfm, layer = load_acoustic(spec, files, timeline, chosen.weights)
        vocoder = load_vocoder(spec, files, timeline)
    with timeline.span("to_device"):
        cfm, vocoder = placed(cfm, device, dtype), vocoder.to(device).eval()
        backend = backends.build(chosen.backend, cfm, device)
    place = str(folder.absolute()) if folder else ""
    loaded = Loaded(
        spec, files, device, dtype, cfm, vocoder, (), WINDOW_FRAMES[spec.backbone], chosen, place,
        backend, layer,
    )  # fmt: skip
    with timeline.span("warmup"):
        # what compiles does so in the first run, or in ``Speaker.compile_ahead``: loading takes no longer for it
        warm_up(loaded, backend if device == "cpu" else Eager())
    loaded = dataclasses.replace(loaded, spans=timeline.spans)
    log.info(
        "model loaded",
        extra=pairs(
            name=spec.name,
            device=device,
            dtype=dtype,
            source=files.source if files else "made here",
            took=sum(s.seconds for s in timeline.spans),
        ),
    )
    return loaded


def load_acoustic(spec: ModelSpec, files: ModelFiles, timeline: Timeline, wanted: str = "auto") -> tuple[Any, str]:
    """The CFM of ``spec`` from ``files``, on the CPU in fp32, and the kind of its weights, "ema" or "raw".

    ``wanted`` is that of ``LoadSettings.weights``. Counted in ``load_counts``.
    """
    count_load("acoustic", spec.name)
    with timeline.span("read_weights"):
        vocab = read_vocab(files.vocab)
        kind, state = acoustic_state(spec, files.weights, wanted, vocab, files.vocab.name)
    with timeline.span("build"):
        cfm = build_cfm(spec, vocab)
        # rotary frequencies are computed, not learnt; some prunings leave them out
        computed = {k: v for k, v in cfm.state_dict().items() if ".rotary_embed." in k}
        load_strictly(cfm, computed | state, files.weights, spec.name)
    return cfm, kind


def load_vocoder(spec: ModelSpec, files: ModelFiles, timeline: Timeline) -> Any:
    """Load the Vocos of ``spec`` from ``files``, on the CPU in fp32. Counted in ``load_counts``.

    Raises:
        WeightsError: its configuration is not supported, or is for another mel spectrogram than the model's.
    """
    count_load("vocoder", spec.name)
    with timeline.span("read_weights"):
        config = read_vocoder(files.vocoder_config)
        config.check_fits(spec.mel, files.vocoder_config)
        state = vocoder_state(files.vocoder_weights)
    with timeline.span("build"):
        vocoder = build_vocoder(config)
        # the filter bank of its mel transform is computed, not learnt; only some checkpoints contain it
        computed = {k: v for k, v in vocoder.state_dict().items() if k.startswith("feature_extractor.")}
        state = computed | state
        load_strictly(vocoder, state, files.vocoder_weights, "the vocoder")
    return vocoder


def placed(cfm: Any, device: str, dtype: str) -> Any:
    """The acoustic model ``cfm`` itself, in the number format ``dtype``, on ``device``, in eval mode."""
    _set_dtype(cfm, dtype)
    return cfm.to(device).eval()


def _set_dtype(cfm: Any, dtype: str) -> None:
    """Cast the backbone. The modules for time, text and positions stay fp32; their outputs are cast."""
    import torch

    cfm.requires_grad_(False)
    if dtype == "fp32":
        return
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    for name, child in cfm.transformer.named_children():
        if name not in _ALWAYS_FP32:
            child.to(kind)
    cfm.transformer.time_embed.register_forward_hook(lambda module, given, result: result.to(kind))


def warm_up(loaded: Loaded, backend: Backend, n_frames: int = 64, ref_frames: int = 16) -> None:
    """Evaluate every part once on a chunk of ``n_frames``, so that the first run is as fast as the second.

    ``ref_frames`` of them are the reference's; the text is as long as that of usual speech of the others.
    """
    import torch

    from workbench.engine.model.sampling import Flow, solve, text_embedded
    from workbench.engine.settings import SynthesisSettings

    n_mels = loaded.spec.mel.n_mel_channels
    words = " ".join(["warm up"] * max(1, (n_frames - ref_frames) // 27))
    with torch.inference_mode():
        cond = torch.zeros(ref_frames, n_mels, device=loaded.device)
        flow = Flow(loaded.cfm, cond, loaded.tokens(words), n_frames, 2.0, backend)
        with text_embedded(flow):
            mel = solve(flow, SynthesisSettings(nfe_step=1), 0, ref_frames).mel
        backend.decode(loaded.vocoder, mel, flow.preparing)
