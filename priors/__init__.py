"""Scores of p(h). Each prior is one module: a builder and the frozen record it makes."""

from ppgn.priors._composited import Composited, composited
from ppgn.priors._dae import DAE, dae
from ppgn.priors._discriminator import DiscriminatorPrior, discriminator
from ppgn.priors._gaussian import Gaussian, gaussian
from ppgn.priors._joint import Joint, joint
from ppgn.priors._none import NoPrior, none
from ppgn.priors._pixelcnn import PixelDensity, pixelcnn
from ppgn.priors._truncated import TruncatedGaussian, truncated_gaussian
from ppgn.priors._vae import EvidenceBound, vae

__all__ = [
    "DAE", "Composited", "DiscriminatorPrior", "EvidenceBound", "Gaussian", "Joint", "NoPrior", "PixelDensity",
    "TruncatedGaussian", "composited", "dae", "discriminator", "gaussian", "joint", "none", "pixelcnn",
    "truncated_gaussian", "vae",
]  # fmt: skip
