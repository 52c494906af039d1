"""The joint prior: generator and encoder together are the denoising autoencoder, h -> x -> h1 -> h.

R_h(h) - h = E(G(h)) - h        (Nguyen et al. 2017, Sec. 3.4 and Eq. 11)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ppgn.checks import require_eval


def joint(encoder: Callable[[Tensor], Tensor]) -> Joint:
    """The prior of Joint PPGN-h, noisy or noiseless, from the frozen encoder x -> h that the generator inverts.

    The image that the pipeline made is used: the original calls the generator a second time here. The result is the
    paper's direction, without 1/sigma^2 (there is no one sigma), so `eps_prior` carries that factor.
    Raises ValueError for an encoder in train mode.
    """
    require_eval(encoder, "encoder")
    return Joint(encoder)


@dataclass(frozen=True)
class Joint:
    """See `joint`."""

    encoder: Callable[[Tensor], Tensor]

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """E(x) - h, x = G(h). Raises ValueError if the encoder's code is not shaped as h."""
        code = self.encoder(x)
        if code.shape != h.shape:
            raise ValueError(f"encoder must give codes of shape {tuple(h.shape)}, got {tuple(code.shape)}")
        return code - h
