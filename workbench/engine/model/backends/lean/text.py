"""Upstream's text embedding, without the computation for positions without text."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.graphs import Graphs, Noting, unnoted
from workbench.engine.model.backends.lean.products import product

_BUCKET = 128  # tokens


class LeanText:
    """Embed the text of a chunk and the empty text of its free row together.

    If padding is masked, the positions after the text are zero before each block. The convolution reaches three
    positions, so all positions more than three after the last token get the same value in a block. It is computed once
    and weighted with its count in the normalisation (GRN). A chunk has about five times as many frames as tokens.

    Args:
        embedding: upstream's ``TextEmbedding``.
        graphs: records it, for a multiple of 128 tokens; None computes it for the tokens that there are.
    """

    def __init__(self, embedding: Any, graphs: Graphs | None = None) -> None:
        self.embedding, self.graphs = embedding, graphs
        self.trims = embedding.extra_modeling and embedding.mask_padding
        self.blocks = [_Block(block) for block in embedding.text_blocks] if self.trims else []

    def __call__(self, tokens: torch.Tensor, frames: int, guided: bool, noting: Noting = unnoted) -> torch.Tensor:
        """Return the embedding in fp32, [rows, frames, text_dim]; it has the free row if ``guided``.

        Args:
            tokens: indices, [1, tokens], none of them padding.
            frames: of reference and chunk together.
            guided: whether to add the free row.
            noting: as in ``Graphs.recorded``.
        """
        if not self.trims:
            rows = [self.embedding(tokens, frames, drop_text=drop) for drop in ((False, True) if guided else (False,))]
            return torch.cat(rows)
        tokens = tokens[:, :frames] + 1
        n_tokens = tokens.shape[1]
        both = torch.cat((tokens, torch.zeros_like(tokens))) if guided else tokens
        text = None if self.graphs is None else self._replayed(both, frames, self.graphs, noting)
        if text is None:
            text = self._short(both, frames)
        if self.embedding.average_upsampling:
            return text[:, _stretched(n_tokens, frames).to(text.device)]
        return F.pad(text[:, :n_tokens], (0, 0, 0, frames - n_tokens))

    def _short(self, tokens: torch.Tensor, frames: int) -> torch.Tensor:
        """The embedding of the tokens alone, [rows, tokens, text_dim]."""
        text: torch.Tensor = self.embedding.text_embed(tokens) + self.embedding.freqs_cis[: tokens.shape[1]]
        for block in self.blocks:
            text = block(text, frames)
        return text

    def _replayed(self, tokens: torch.Tensor, frames: int, graphs: Graphs, noting: Noting) -> torch.Tensor | None:
        """The same with places behind the tokens, up to a length that many texts share; None without a graph."""
        rows, n_tokens = tokens.shape
        whole = -(-(n_tokens + self.blocks[0].half + 1) // _BUCKET) * _BUCKET
        if whole > len(self.embedding.freqs_cis):
            return None
        places = torch.arange(whole, device=tokens.device)[:, None]
        counts = (places < frames).float()
        counts[-1] += max(0, frames - whole)  # the last place represents all later ones
        inputs = F.pad(tokens, (0, whole - n_tokens)), (places < n_tokens).float(), counts
        return graphs.computed(("text", rows, whole), inputs, self._embedded, noting)

    def _embedded(self, tokens: torch.Tensor, valid: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        text: torch.Tensor = (self.embedding.text_embed(tokens) + self.embedding.freqs_cis[: tokens.shape[1]]) * valid
        for block in self.blocks:
            text = block.filled_up(text, valid, counts)
        return text


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
        x = self._inner(F.pad(text, (0, 0, 0, beyond)))
        squares = x.square()
        total = squares.sum(1, keepdim=True) + (frames - n_tokens - beyond) * squares[:, -1:]
        return text + self._outer(x[:, :n_tokens], total)

    def filled_up(self, text: torch.Tensor, valid: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """The same for ``text`` [rows, places, text_dim] that is zero behind the tokens, as the result is.

        Args:
            text: with at least ``half`` + 1 places behind the tokens.
            valid: 1 for a token, else 0, [places, 1].
            counts: of how many frames' places each stands, [places, 1].
        """
        x = self._inner(text)
        total = (x.square() * counts).sum(1, keepdim=True)
        return (text + self._outer(x, total)) * valid

    def _inner(self, text: torch.Tensor) -> torch.Tensor:
        return self.wide.gelu(self.norm(self.dwconv(text.transpose(1, 2)).transpose(1, 2)), "none")

    def _outer(self, x: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        """The normalisation (GRN) of ``x``, whose squares add up to ``total`` over all frames, and what follows."""
        norm = total.sqrt()
        x = self.grn.gamma * (x * (norm / (norm.mean(-1, keepdim=True) + 1e-6))) + self.grn.beta + x
        return self.narrow(x)
