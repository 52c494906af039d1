"""Anybody's captioner as p(sentence | x): transformers' networks that say an image in words.

captioner = ppgn.pretrained.captioner("nlpconnect/vit-gpt2-image-captioning")
volcano = ppgn.conditions.caption(captioner, "a volcano erupting at night")

Needs the extra ppgn[transformers].
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ppgn.pretrained.preprocessing import Preprocessing, with_channels
from ppgn.pretrained.transformers_parts import known_words, loaded, transformers_for

INPUTS = ("decoder_input_ids", "input_ids")  # what words are called: of an encoder and decoder, or of one network


class ImageCaptioner(nn.Module):
    """x (B, C, H, W) in [0, 1], of any size, grey or RGB, and tokens (B, L) -> log p(sentence | x).

    preprocessing   what is done to x first
    tokenizer       from text to tokens
    start, end      the tokens before and after every sentence
    prompt          words after the start, which count nothing
    words           what the network calls its tokens: "decoder_input_ids" or "input_ids"
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: Any,
        preprocessing: Preprocessing,
        start: int,
        end: int,
        prompt: str = "",
        words: str = "input_ids",
    ):
        super().__init__()
        self.network, self.tokenizer, self.preprocessing = network, tokenizer, preprocessing
        self.start, self.end, self.prompt, self.words = start, end, prompt, words
        self.before = known_words(tokenizer, prompt) if prompt else []
        self.beginning: Tensor
        self.register_buffer("beginning", torch.tensor([start, *self.before]), persistent=False)

    def tokens(self, text: str) -> Tensor:
        """The sentence and its end as tokens (L,). Raises ValueError for an empty sentence or an unknown word."""
        known_words(self.tokenizer, text)
        ids = known_words(self.tokenizer, f"{self.prompt} {text}".strip())  # together: GPT's tokens hold the space
        return torch.tensor([*ids[len(self.before) :], self.end])

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, L, words) of each word of the sentences (B, L), the words before it being theirs."""
        pixels = self.preprocessing(with_channels(x, self.preprocessing.channels))
        beginning = self.beginning.expand(len(x), -1)
        said = torch.cat([beginning, tokens[:, :-1].clamp(min=0)], 1)
        weights = next(self.network.parameters())
        found = self.network(pixel_values=pixels.to(weights.dtype), **{self.words: said})
        logits: Tensor = found.logits[:, -tokens.shape[1] :]  # some say a word for each patch of the image first
        return logits

    def log_prob(self, x: Tensor, tokens: Tensor) -> Tensor:
        """log p(sentence | x) in nats, (B,), of sentences (B, L) as `tokens` gives them; what is below 0 is padding."""
        said = self(x, tokens).log_softmax(2).gather(2, tokens.clamp(min=0)[:, :, None])[:, :, 0]
        return torch.where(tokens >= 0, said, 0.0).sum(1)


def captioner(
    model: nn.Module | str,
    tokenizer: Any = None,
    processor: Any = None,
    *,
    prompt: str = "",
    start: int | None = None,
    end: int | None = None,
) -> ImageCaptioner:
    """A captioner of transformers' as the network of `ppgn.conditions.caption`: frozen, in eval mode.

    model       VisionEncoderDecoderModel, BlipForConditionalGeneration, GitForCausalLM or another that gives logits for
                `pixel_values` and words; or the name of a repository or folder. It stays as it is
    tokenizer   its tokenizer, or a name; None: the one beside a model that is loaded by name
    processor   its image processor, a name, or a `Preprocessing`; None: likewise
    prompt      words before every sentence, which count nothing, as "a photo of"
    start, end  tokens before and after a sentence; None: the network's own start, and the tokenizer's eos, or else sep

    log p is in nats, summed over words as the tokenizer cuts them, the end included. Gradients flow to x alone. Raises
    ImportError without the extra, TypeError for another model, ValueError where tokenizer, processor, start or end are
    not known, OSError where a name leads to no files.
    """
    network, tokenizer, preprocessing = loaded(transformers_for("captioner"), model, tokenizer, processor)
    taken = inspect.signature(network.forward).parameters
    words = next((name for name in INPUTS if name in taken), None)
    whole: Any = network
    if words is None or "pixel_values" not in taken or not whole.can_generate():
        raise TypeError(f"model must take pixel_values and words, and give logits, got {type(network).__name__}")
    config: Any = whole.config
    inner = config.get_text_config(decoder=True)
    first = _given("start", start, getattr(config, "decoder_start_token_id", None), inner.bos_token_id)
    last = _given("end", end, tokenizer.eos_token_id, tokenizer.sep_token_id)
    made = ImageCaptioner(network, tokenizer, preprocessing, first, last, prompt, words)
    return made.to(next(network.parameters()).device).eval()


def _given(name: str, *tokens: int | None) -> int:
    """The first that is known."""
    known = [token for token in tokens if token is not None]
    if not known:
        raise ValueError(f"{name} must be given: the model and its tokenizer do not say what it is")
    return int(known[0])
