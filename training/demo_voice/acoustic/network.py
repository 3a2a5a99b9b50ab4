"""Upstream's networks, built and run for training: same classes, same weights, fewer wasted operations.

Training calls the parts of `DiT` in the order of `DiT.forward` (f5_tts/model/backbones/dit.py) instead of calling it
whole, for three reasons: a row of a batch can drop its text while its neighbour keeps it, the hidden state that the
phone loss reads is at hand without hooks, and the text layers run over the characters instead of over all frames.
The tests hold the two paths against each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from training.demo_voice.texts.characters import CHARACTERS
from workbench.engine import upstream
from workbench.engine.settings import MelConfig

ARCH: dict[str, Any] = {
    "dim": 256,
    "depth": 10,
    "heads": 4,
    "dim_head": 64,
    "ff_mult": 2,
    "text_dim": 320,
    "text_mask_padding": True,
    "text_embedding_average_upsampling": True,
    "conv_layers": 6,
    "qk_norm": None,
    "pe_attn_head": None,
    "attn_backend": "torch",
    "attn_mask_enabled": False,
}
"""Wide and deep where it is cheap: the text layers run once a sample, the blocks twice a step (guidance)."""

_REACH = 3  # half of the 7-tap kernel of ConvNeXtV2Block


def build_cfm(arch: dict[str, Any] | None = None, mel: MelConfig = MelConfig()) -> Any:
    """Upstream's `CFM` around a `DiT` of `arch` (default ARCH), with fresh weights."""
    upstream.install()
    from f5_tts.model import CFM, DiT

    backbone = DiT(**(arch or ARCH), dropout=0.0, text_num_embeds=len(CHARACTERS), mel_dim=mel.n_mel_channels)
    vocab = {character: i for i, character in enumerate(CHARACTERS)}
    return CFM(transformer=backbone, mel_spec_kwargs=dataclasses.asdict(mel), vocab_char_map=vocab)


def load_cfm(folder: Path) -> Any:
    """The CFM of an exported voice, in eval mode, exactly as saved."""
    from safetensors.torch import load_file

    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    cfm = build_cfm(config["model"]["arch"])
    weights = load_file(next(iter(sorted(folder.glob("model_*.safetensors")))))
    cfm.load_state_dict({k.removeprefix("ema_model."): v.float() for k, v in weights.items()})
    return cfm.eval()


def trained_cfm(work: Path, folder: Path) -> Any:
    """The CFM of the work folder's checkpoint, averaged, in eval mode; else that of the voice in `folder`."""
    path = work / "acoustic" / "acoustic.pt"
    if not path.exists():
        return load_cfm(folder)
    state = torch.load(path, map_location="cpu", weights_only=True)
    cfm = build_cfm(state["arch"])
    cfm.transformer.load_state_dict(state["average"])
    return cfm.eval()


def encode_characters(embed: Any, ids: Tensor, n_chars: Tensor, n_frames: Tensor, drop: Tensor | None = None) -> Tensor:
    """What `TextEmbedding.forward` computes before its upsampling, over the characters only.

    Upstream pads the text to the length of the mel before its ConvNeXt layers. Padding is zero at the input of each
    layer, so its inner activations are one constant vector; it matters only to the layer's response normalisation,
    which sums squares over all positions. Here that constant is added in closed form.

    Args:
        embed: upstream's `TextEmbedding`.
        ids: [b, n], padded with -1.
        n_chars: [b]. n_frames: [b], length the text would be padded to.
        drop: [b] bool, rows whose text is dropped for guidance.

    Returns:
        f32 [b, n + 3, text_dim], zero beyond each row's characters.
    """
    x = F.pad(ids + 1, (0, _REACH))
    n = x.shape[1]
    gone = torch.arange(n, device=x.device)[None] >= n_chars[:, None]
    if drop is not None:
        x = x.masked_fill(drop[:, None], 0)
    x = (embed.text_embed(x) + embed.freqs_cis[:n]).masked_fill(gone[..., None], 0.0)
    outside = (n_frames - n).clamp(min=0).to(x.dtype)[:, None]
    for block in embed.text_blocks:
        h = block.dwconv(x.transpose(1, 2)).transpose(1, 2)
        h = block.act(block.pwconv1(block.norm(h)))
        constant = block.act(block.pwconv1(block.norm(block.dwconv.bias)))
        norm = (h.square().sum(1) + outside * constant.square()).clamp(min=1e-12).sqrt()[:, None]
        h = block.grn.gamma * (h * (norm / (norm.mean(-1, keepdim=True) + 1e-6))) + block.grn.beta + h
        x = (x + block.pwconv2(h)).masked_fill(gone[..., None], 0.0)
    return x


def upsample(encoded: Tensor, n_chars: Tensor, n_frames: int) -> Tensor:
    """Upstream's average upsampling: every character gets the same number of frames, the last ones one more.

    Args:
        encoded: [b, n, d]; n_chars: [b]; n_frames: of every row.

    Returns:
        [b, n_frames, d].
    """
    base = (n_frames // n_chars)[:, None]
    plain = (n_chars - n_frames % n_chars)[:, None]  # characters with `base` frames; the others have one more
    frame = torch.arange(n_frames, device=encoded.device)[None]
    index = torch.where(frame < plain * base, frame // base.clamp(min=1), plain + (frame - plain * base) // (base + 1))
    return encoded.gather(1, index[..., None].expand(-1, -1, encoded.shape[-1]))


def velocity(
    transformer: Any,
    x: Tensor,
    cond: Tensor,
    text: Tensor,
    time: Tensor,
    read_block: int,
    blocks: list[Any] | None = None,
) -> tuple[Tensor, Tensor]:
    """`DiT.forward` from the upsampled text on, without padding masks (rows are filled to one length).

    Args:
        transformer: upstream's `DiT`.
        x: noised mel [b, n, 100]. cond: masked mel [b, n, 100]. text: [b, n, text_dim]. time: [b].
        read_block: block after which the hidden state is read for the phone loss.
        blocks: compiled stand-ins for the transformer's blocks.

    Returns:
        velocity [b, n, 100] and hidden state [b, n, dim].
    """
    t = transformer.time_embed(time)
    h = transformer.input_embed(x, cond, text)
    rope = transformer.rotary_embed.forward_from_seq_len(x.shape[1])
    middle = h
    for i, block in enumerate(blocks or transformer.transformer_blocks):
        h = block(h, t, mask=None, rope=rope)
        if i == read_block:
            middle = h
    return transformer.proj_out(transformer.norm_out(h, t)), middle


@contextmanager
def plain_attention(longest: int = 1200) -> Iterator[None]:
    """Let upstream's blocks attend by two products and a softmax: 1.7 times faster than the CPU's fused kernel.

    For training on rows of one length, without mask, up to `longest` frames; beyond it the memory is not worth it.
    """
    fused = F.scaled_dot_product_attention

    def attend(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
        if attn_mask is not None or q.shape[-2] > longest:
            return fused(q, k, v, attn_mask=attn_mask, **options)
        return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(-1) @ v

    F.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        F.scaled_dot_product_attention = fused


def open_gates(transformer: Any, value: float = 0.3) -> None:
    """Start the blocks' gates at `value` instead of upstream's zero: attention gets a gradient from the first step."""
    dim = transformer.dim
    with torch.no_grad():
        for block in transformer.transformer_blocks:
            block.attn_norm.linear.bias[2 * dim : 3 * dim] = value
            block.attn_norm.linear.bias[5 * dim :] = value


def grown(state: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Weights of a `DiT` in a deeper one: new blocks are copies whose gates are shut, so nothing changes at first."""
    head = "transformer_blocks."
    old = 1 + max(int(k.split(".")[1]) for k in state if k.startswith(head))
    places = [round((k + 1) * old / (depth - old + 1)) for k in range(depth - old)]  # behind these many
    order = [(i, fresh) for i in range(old) for fresh in (False, *[True] * places.count(i + 1))]
    out = {k: v for k, v in state.items() if not k.startswith(head)}
    for new, (i, fresh) in enumerate(order):
        for k, v in state.items():
            if k.startswith(f"{head}{i}."):
                out[k.replace(f"{head}{i}.", f"{head}{new}.", 1)] = _shut(k, v) if fresh else v
    return out


def _shut(name: str, v: Tensor) -> Tensor:
    """A parameter of a block as it is, but for the rows that make its gates."""
    if ".attn_norm.linear." not in name:
        return v
    v, dim = v.clone(), v.shape[0] // 6
    v[2 * dim : 3 * dim] = 0
    v[5 * dim :] = 0
    return v
