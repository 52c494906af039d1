"""A sentence as the condition: text to image.

log p(sentence | x) = sum over words of log p(word_k | words before k, x)

Its gradient is that of the sum, the words being those asked for (Nguyen et al. 2017, with LRCN as the captioner).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ppgn.checks import require_eval
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._objectives import place_of
from ppgn.models.captioner import padded
from ppgn.types import Captioning


def caption(captioner: Captioning, text: str | Sequence[str]) -> Caption:
    """The captioner says `text` of the image: log p(text | x) in nats, the end of the sentence included.

    captioner   says how likely a sentence is, as `ppgn.models.Captioner` or `ppgn.pretrained.captioner`; in eval mode
    text        one sentence for all chains, or one per row

    Raises TypeError for something that is no captioner or a text that is no str, ValueError for a captioner in train
    mode, no text, an empty sentence, or a word that the captioner does not know, naming the nearest that it does; and,
    when the condition first meets images, for other than one text a row.

    >>> import ppgn
    >>> captioner = ppgn.models.Captioner(("a", "thin", "seven"), (1, 8, 8)).eval()
    >>> caption(captioner, ["a seven", "a thin seven"]).log_prob(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2])
    """
    if not isinstance(captioner, Captioning):
        raise TypeError(f"captioner must have tokens(text) and log_prob(x, tokens), got {type(captioner).__name__}")
    require_eval(captioner, "captioner")
    asked = text if isinstance(text, str) else tuple(text)
    texts = (asked,) if isinstance(asked, str) else asked
    if not texts:
        raise ValueError("text must be one sentence or one per row, got none")
    for one in texts:
        if not isinstance(one, str):
            raise TypeError(f"text must be a str or several, got {type(one).__name__}")
    tokens = padded([captioner.tokens(one) for one in texts]).to(place_of(captioner))
    return Caption(captioner, asked, tokens[0] if isinstance(asked, str) else tokens)


@dataclass(frozen=True)
class Caption(Algebra):
    """See `caption`."""

    captioner: Captioning
    text: str | tuple[str, ...]  # of all rows that were asked for, also where `rows` has chosen some
    tokens: Tensor  # (L,) or (B, L), where the captioner's weights are
    _placed: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def nats(self) -> bool:
        """Always."""
        return True

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        if self.tokens.ndim == 2 and len(self.tokens) != len(x):
            raise ValueError(f"text must be one sentence or one per row: {len(x)} rows, got {len(self.tokens)} texts")
        return self.captioner.log_prob(x, self._at(x.device).expand(len(x), -1))

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log of the probability of all other sentences."""
        log_prob = self.log_prob(x)
        return torch.log(-torch.expm1(log_prob.clamp(max=-torch.finfo(log_prob.dtype).tiny)))

    def rows(self, index: Tensor) -> Caption:
        """The same question for those chains."""
        return self if self.tokens.ndim == 1 else replace(self, tokens=self._at(index.device)[index])

    def _at(self, device: torch.device) -> Tensor:
        """The tokens on a device, moved there once."""
        if device not in self._placed:
            self._placed[device] = self.tokens.to(device)
        return self._placed[device]
