"""Words as the condition by how near the image is to them, as CLIP tells it (Radford et al. 2021).

without `against`   s(x, prompt)                                            an activation, not nats
with                s(x, prompt) - log sum over all texts of exp s(x, text)     log p(prompt | x, one of these is true)

where s is the network's scaled similarity of image and text: what it was trained to be the logits of such a choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ppgn.checks import require_eval
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._objectives import all_but, scored
from ppgn.types import ImageText


def text(network: ImageText, prompt: str | Sequence[str], *, against: Sequence[str] = ()) -> Text:
    """The image fits `prompt`, rather than the texts `against` it if there are any.

    network   tells how near images and texts are, as `ppgn.pretrained.image_text`; in eval mode
    prompt    one for all chains, or one per row
    against   texts that the prompt is chosen among, as "a photo of a cat" among other animals: log_prob is then the
              prompt's log-softmax among them and itself, in nats. Without: the scaled similarity, an activation. A
              prompt that is among them counts once, so that several prompts may be each other's alternatives

    Texts are made into vectors once, here. Raises TypeError for something that tells no similarity or a text that is
    no str, ValueError for a network in train mode, no prompt, an empty text, or nothing in `against` but the prompt;
    and, when the condition first meets images, for other than one prompt a row.

    >>> class Brightness:
    ...     embedded = staticmethod(lambda texts: torch.tensor([[float(one == "bright")] for one in texts]))
    ...     similarity = staticmethod(lambda x, texts: x.mean((1, 2, 3))[:, None] * texts.T)
    >>> text(Brightness(), "bright", against=["dark"]).log_prob(torch.zeros(1, 1, 2, 2))
    tensor([-0.6931])
    """
    if not isinstance(network, ImageText):
        raise TypeError(f"network must have embedded(texts) and similarity(x, texts), got {type(network).__name__}")
    require_eval(network, "network")
    asked = prompt if isinstance(prompt, str) else tuple(prompt)
    prompts = (asked,) if isinstance(asked, str) else asked
    if isinstance(against, str):
        raise TypeError(f"against must be several texts, got the one {against!r}")
    if not prompts:
        raise ValueError("prompt must be one text or one per row, got none")
    texts = tuple(dict.fromkeys((*prompts, *against)))
    for one in texts:
        if not isinstance(one, str):
            raise TypeError(f"texts must be str, got {type(one).__name__}")
        if not one.strip():
            raise ValueError(f"texts must have a word, got {one!r}")
    if against and any(set(against) <= {one} for one in prompts):
        raise ValueError(f"against must hold another text than the prompt, got {list(against)}")
    with torch.no_grad():
        vectors = network.embedded(texts)
    number = torch.tensor([texts.index(one) for one in prompts], device=vectors.device)
    rivals = torch.tensor([one in against for one in texts], device=vectors.device)
    return Text(network, asked, tuple(against), vectors, rivals, number[0] if isinstance(asked, str) else number)


@dataclass(frozen=True)
class Text(Algebra):
    """See `text`."""

    network: ImageText
    prompt: str | tuple[str, ...]  # of all rows that were asked for, also where `rows` has chosen some
    against: tuple[str, ...]
    vectors: Tensor  # (T, d): of prompts and what is against them, each text once
    rivals: Tensor  # (T,) bool: those that every prompt is chosen among
    number: Tensor  # () or (B,): the prompt's place among them
    _placed: dict[torch.device, tuple[Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def nats(self) -> bool:
        """Whether there are texts against the prompt: else log_prob is an activation."""
        return bool(self.against)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        logits, column = self._among(x)
        return scored(logits, column, "log_prob" if self.nats else "activation")

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log of the probability of all others. Raises TypeError if there are none."""
        if not self.nats:
            raise TypeError("a text has an opposite only among others: text(network, prompt, against=[...])")
        return all_but(*self._among(x))

    def rows(self, index: Tensor) -> Text:
        """The same question for those chains."""
        return self if self.number.ndim == 0 else replace(self, number=self._at(index.device)[2][index])

    def _among(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Similarities (B, T), -inf where a text is none of a row's own, and the places (B, 1) of the prompts."""
        if self.number.ndim == 1 and len(self.number) != len(x):
            raise ValueError(f"prompt must be one text or one per row: {len(x)} rows, got {len(self.number)} prompts")
        vectors, rivals, number = self._at(x.device)
        column = number.expand(len(x)).unsqueeze(1)
        own = torch.arange(len(rivals), device=x.device) == column
        logits = self.network.similarity(x, vectors)
        return torch.where(own | rivals, logits, -torch.inf), column

    def _at(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors, rivals and prompts on a device, moved there once."""
        if device not in self._placed:
            self._placed[device] = (self.vectors.to(device), self.rivals.to(device), self.number.to(device))
        return self._placed[device]
