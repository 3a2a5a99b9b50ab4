"""Upstream's text embedding, without the computation for positions without text."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.lean.products import product


class LeanText:
    """Embed the text of a chunk and the empty text of its free row together.

    If padding is masked, the positions after the text are zero before each block. The convolution reaches three
    positions, so all positions more than three after the last token get the same value in a block. It is computed once
    and weighted with its count in the normalisation (GRN). A chunk has about five times as many frames as tokens.

    Args:
        embedding: upstream's ``TextEmbedding``.
    """

    def __init__(self, embedding: Any) -> None:
        self.embedding = embedding
        self.trims = embedding.extra_modeling and embedding.mask_padding
        self.blocks = [_Block(block) for block in embedding.text_blocks] if self.trims else []

    def __call__(self, tokens: torch.Tensor, frames: int, guided: bool) -> torch.Tensor:
        """Return the embedding in fp32, [rows, frames, text_dim]; it has the free row if ``guided``.

        Args:
            tokens: indices, [1, tokens], none of them padding.
            frames: of reference and chunk together.
            guided: whether to add the free row.
        """
        if not self.trims:
            rows = [self.embedding(tokens, frames, drop_text=drop) for drop in ((False, True) if guided else (False,))]
            return torch.cat(rows)
        tokens = tokens[:, :frames] + 1
        n_tokens = tokens.shape[1]
        both = torch.cat((tokens, torch.zeros_like(tokens))) if guided else tokens
        text: torch.Tensor = self.embedding.text_embed(both) + self.embedding.freqs_cis[:n_tokens]
        for block in self.blocks:
            text = block(text, frames)
        if self.embedding.average_upsampling:
            return text[:, _stretched(n_tokens, frames).to(text.device)]
        return F.pad(text, (0, 0, 0, frames - n_tokens))


def _stretched(n_tokens: int, frames: int) -> torch.Tensor:
    """Return the token of each frame: all tokens have equally many frames, the last ones one more if needed."""
    each, more = divmod(frames, n_tokens)
    counts = torch.full((n_tokens,), each)
    counts[n_tokens - more :] += 1
    return torch.repeat_interleave(torch.arange(n_tokens), counts)


class _Block:
    """A ConvNeXt V2 block on the tokens of a text, followed by zeros."""

    def __init__(self, block: Any) -> None:
        self.dwconv, self.norm, self.grn = block.dwconv, block.norm, block.grn
        self.half = block.dwconv.padding[0]
        self.wide = product(block.pwconv1.weight, block.pwconv1.bias)
        self.narrow = product(block.pwconv2.weight, block.pwconv2.bias)

    def __call__(self, text: torch.Tensor, frames: int) -> torch.Tensor:
        """Return ``text`` [rows, tokens, text_dim] after the block, as if zeros followed up to ``frames``."""
        n_tokens = text.shape[1]
        beyond = min(self.half + 1, frames - n_tokens)  # the computed positions; the last represents all later ones
        x = F.pad(text, (0, 0, 0, beyond)).transpose(1, 2)
        x = self.norm(self.dwconv(x).transpose(1, 2))
        x = self.wide.gelu(x, "none")
        squares = x.square()
        total = squares.sum(1, keepdim=True) + (frames - n_tokens - beyond) * squares[:, -1:]
        x, norm = x[:, :n_tokens], total.sqrt()
        x = self.grn.gamma * (x * (norm / (norm.mean(-1, keepdim=True) + 1e-6))) + self.grn.beta + x
        found: torch.Tensor = text + self.narrow(x)
        return found
