"""The contracts every part keeps, and nothing else.

    h      (B, *latent)    a batch of codes, one chain per row, float
    x      (B, C, H, W)    images, float in [0, 1], grey or RGB

p(h | y) is proportional to p(h) p(y | G(h)): a generator, a prior and a condition (Nguyen et al., CVPR 2017, Sec. 2).
"""

from ppgn.types.asking import Captioning, Complemented, Condition, Filling, ImageText, Measured, NamedClasses, Varying
from ppgn.types.parts import Coded, Density, Generator, Ladder, Prior, Refreshable, Rng, RowPrior, Schedule, Shaped
from ppgn.types.walking import Posterior, S, Sampler, State, Target, Terms

__all__ = [
    "Captioning",
    "Coded",
    "Complemented",
    "Condition",
    "Density",
    "Filling",
    "Generator",
    "ImageText",
    "Ladder",
    "Measured",
    "NamedClasses",
    "Posterior",
    "Prior",
    "Refreshable",
    "Rng",
    "RowPrior",
    "S",
    "Sampler",
    "Schedule",
    "Shaped",
    "State",
    "Target",
    "Terms",
    "Varying",
]
