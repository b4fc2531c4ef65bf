"""The two towers of an open_clip model, with soft prompts in them. No query, no file, no cache.

A soft prompt's row 0 stands among the tokens that the first block reads; row i >= 1 is added to
what block i reads at the prompt's places.

Unlike the paper (VPT-deep, Jia et al. 2022, arXiv:2203.12119), deep rows do not take the place of
what the block before has made there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from backends.clip.captions import Caption
from backends.clip.images import Pixels, Shown

_UNKNOWN_WORK = 50 * 768  # of an image in a tower that is no transformer: as in ViT-B-32


class TextTower:
    """Reads captions up to their end token and no further: it is causal, and needs no padding."""

    def __init__(self, model: Any) -> None:
        """Takes an open_clip model.

        Raises:
            ValueError: its text tower is none of open_clip's own causal ones.
        """
        text = model if hasattr(model, "token_embedding") else model.text
        pool = _either(text, "text_pool_type", "pool_type")
        if (
            pool not in ("argmax", "eos")
            or text.attn_mask is None
            or _either(text, "cls_emb") is not None
        ):
            raise ValueError("only causal text towers, read at the end token, are")
        self.words: Tensor = text.token_embedding.weight  # (n_words, width)
        self._positions: Tensor = text.positional_embedding  # (context, width)
        self._mask: Tensor = text.attn_mask
        self._blocks = list(text.transformer.resblocks)
        self._norm: Any = text.ln_final
        self._projection: Any = text.text_projection  # a module, a matrix or None
        self.context = len(self._positions)
        self.shape = len(self._blocks), self.words.shape[1]
        self.dim = self._projected(self._positions[:1]).shape[1]
        # the token whose vector is read; None: the last of the vocabulary
        self.end = _either(text, "text_eos_id", "eos_id") if pool == "eos" else None

    def work(self, caption: Caption) -> int:
        """Numbers between two blocks."""
        return len(caption) * int(self.shape[1])

    def features(self, captions: Sequence[Caption], size: int) -> Tensor:
        """What it makes of captions of one layout, (size, dim); the last one fills up the batch."""
        ids = _filled([caption.ids for caption in captions], size).to(self.words.device)
        prompts = _stacked(captions, size, self.words)
        hidden, place = self.words[ids], captions[0].place
        if prompts is not None:
            hidden = torch.cat([hidden[:, :place], prompts[:, 0], hidden[:, place:]], dim=1)
        length = hidden.shape[1]
        hidden = hidden + self._positions[:length]
        mask = self._mask[:length, :length]
        hidden = _through(self._blocks, hidden, prompts, place, mask)
        return self._projected(self._norm(hidden[:, -1]))

    def _projected(self, pooled: Tensor) -> Tensor:
        matrix = self._projection
        if matrix is None:
            return pooled
        projected: Tensor = matrix(pooled) if isinstance(matrix, nn.Module) else pooled @ matrix
        return projected


class ImageTower:
    """Reads images; soft prompts only where it is a vision transformer of open_clip's own.

    They stand behind the patches and have no positions, as in BPT-VLM (Yu et al., IJCAI 2023). The
    vector is read from the image's own tokens.
    """

    def __init__(self, model: Any, pixels: Pixels) -> None:
        self._model, self._pixels = model, pixels
        self._like: Tensor = next(model.visual.parameters())
        self._vit = model.visual if isinstance(model.visual, VisionTransformer) else None
        self.shape = (0, 0)  # (n_layers, width); no layers: it takes no soft prompts
        if self._vit is not None:
            self.shape = len(self._vit.transformer.resblocks), self._vit.conv1.out_channels

    @property
    def patch_statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the patch embedding's weights; zeros where it has none."""
        if self._vit is None:
            return 0.0, 0.0
        weights = self._vit.conv1.weight.float()
        return float(weights.mean()), float(weights.std(correction=0))

    def work(self, shown: Shown) -> int:
        """Numbers between two blocks."""
        if self._vit is None:
            return _UNKNOWN_WORK
        n_tokens = len(self._vit.positional_embedding) + (
            shown.prompt.n_tokens if shown.prompt else 0
        )
        return n_tokens * self.shape[1]

    def features(self, images: Sequence[Shown], size: int) -> Tensor:
        """As the text tower's, of images with prompts of one shape."""
        pixels = _filled([self._pixels.of(image) for image in images], size).to(self._like)
        prompts = _stacked(images, size, self._like)
        if prompts is None or self._vit is None:
            features: Tensor = self._model.encode_image(pixels)
            return features
        hidden = self._vit._embeds(pixels)
        n_own = hidden.shape[1]
        hidden = torch.cat([hidden, self._vit.ln_pre(prompts[:, 0])], dim=1)
        hidden = _through(self._vit.transformer.resblocks, hidden, prompts, n_own)
        pooled: Tensor = self._vit._pool(hidden[:, :n_own])[0]
        return pooled if self._vit.proj is None else pooled @ self._vit.proj


def _through(
    blocks: Iterable[nn.Module],
    hidden: Tensor,
    prompts: Tensor | None,
    place: int,
    mask: Tensor | None = None,
) -> Tensor:
    """The hidden states (n, length, width) behind all blocks; `place` is the prompts' first."""
    n_layers, n_tokens = prompts.shape[1:3] if prompts is not None else (1, 0)
    for number, block in enumerate(blocks):
        if 1 <= number < n_layers and prompts is not None:
            hidden[:, place : place + n_tokens] += prompts[:, number]
        hidden = block(hidden, attn_mask=mask)
    return hidden


def _stacked(items: Sequence[Caption | Shown], size: int, like: Tensor) -> Tensor | None:
    """Their prompts, (size, n_layers, n_tokens, width), or None: they are of one layout."""
    rows = [item.prompt.rows for item in items if item.prompt is not None]
    return _filled(rows, size).to(like) if rows else None


def _filled(rows: Sequence[NDArray[Any]], size: int) -> Tensor:
    return torch.from_numpy(np.stack([*rows, *[rows[-1]] * (size - len(rows))]))


def _either(text: nn.Module, *names: str) -> Any:
    """open_clip names these alike in no two classes."""
    return next((getattr(text, name) for name in names if hasattr(text, name)), None)
