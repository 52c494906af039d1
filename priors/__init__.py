"""Scores of p(h). Each prior is one module: a builder and the frozen record it makes."""

from ppgn.priors._dae import DAE, dae
from ppgn.priors._gaussian import Gaussian, gaussian
from ppgn.priors._joint import Joint, joint
from ppgn.priors._none import NoPrior, none
from ppgn.priors._truncated import TruncatedGaussian, truncated_gaussian

__all__ = [
    "DAE", "Gaussian", "Joint", "NoPrior", "TruncatedGaussian", "dae", "gaussian", "joint", "none",
    "truncated_gaussian",
]  # fmt: skip
