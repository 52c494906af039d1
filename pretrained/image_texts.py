"""CLIP and its kin as a tie between images and texts: transformers' networks that make both into vectors.

    s(x, text) = scale <image vector, text vector> + bias,    both of length 1

clip = ppgn.pretrained.image_text("openai/clip-vit-base-patch32")
cat = ppgn.conditions.text(clip, "a photo of a cat", against=["a photo of a dog", "a photo of a car"])

Needs the extra ppgn[transformers].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.nn.functional import normalize

from ppgn.pretrained.preprocessing import Preprocessing, with_channels
from ppgn.pretrained.transformers_parts import known_words, loaded, transformers_for


@runtime_checkable
class Contrastive(Protocol):
    """transformers' networks of CLIP's kind."""

    logit_scale: Tensor
    get_image_features: Callable[..., Any]
    get_text_features: Callable[..., Any]


class ImageTextNetwork(nn.Module):
    """How well texts fit images (B, C, H, W) in [0, 1], of any size, grey or RGB: logits.

    preprocessing   what is done to x first
    tokenizer       from texts to tokens; `padding` as it takes it
    """

    def __init__(self, network: nn.Module, tokenizer: Any, preprocessing: Preprocessing, padding: bool | str = True):
        super().__init__()
        self.network, self.tokenizer, self.preprocessing, self.padding = network, tokenizer, preprocessing, padding

    def embedded(self, texts: Sequence[str]) -> Tensor:
        """(T, d): a vector of length 1 for each text. Raises ValueError for an empty text or an unknown word."""
        for text in texts:
            known_words(self.tokenizer, text)
        tokens = self.tokenizer(list(texts), padding=self.padding, return_tensors="pt")
        place = next(self.network.parameters()).device
        asked = {name: tokens[name].to(place) for name in ("input_ids", "attention_mask") if name in tokens}
        network: Any = self.network
        return normalize(_vectors(network.get_text_features(**asked)), dim=1)

    def similarity(self, x: Tensor, texts: Tensor) -> Tensor:
        """Images (B, C, H, W) and vectors of texts (T, d) -> logits (B, T)."""
        pixels = self.preprocessing(with_channels(x, self.preprocessing.channels))
        network: Any = self.network
        images = _vectors(network.get_image_features(pixel_values=pixels.to(network.logit_scale.dtype)))
        logits: Tensor = normalize(images, dim=1) @ texts.to(images.dtype).T * network.logit_scale.exp()
        bias = getattr(network, "logit_bias", None)  # SigLIP's
        return logits if bias is None else logits + bias

    def forward(self, x: Tensor, texts: Tensor) -> Tensor:
        """As `similarity`."""
        return self.similarity(x, texts)


def image_text(
    model: nn.Module | str, tokenizer: Any = None, processor: Any = None, *, padding: bool | str = True
) -> ImageTextNetwork:
    """A network of CLIP's kind as that of `ppgn.conditions.text`: frozen, in eval mode.

    model       transformers' CLIPModel or another with get_image_features, get_text_features and logit_scale; or the
                name of a repository or folder. It stays as it is
    tokenizer   its tokenizer, or a name; None: the one beside a model that is loaded by name
    processor   its image processor, a name, or a `Preprocessing`; None: likewise
    padding     how the tokenizer fills up shorter texts: True, to the longest; SigLIP wants "max_length"

    Gradients flow to x alone. Raises ImportError without the extra, TypeError for another model, ValueError where
    tokenizer or processor are not known, OSError where a name leads to no files.
    """
    network, tokenizer, preprocessing = loaded(transformers_for("image_text"), model, tokenizer, processor)
    if not isinstance(network, Contrastive):
        raise TypeError(f"model must make images and texts into vectors, as CLIPModel, got {type(model).__name__}")
    return ImageTextNetwork(network, tokenizer, preprocessing, padding).eval()


def _vectors(found: Any) -> Tensor:
    """(B, d): older versions give the tensor itself."""
    vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return vectors
