"""Scores of p(h). Each prior is one module: a builder and the frozen record it makes."""

from ppgn.priors.dae import DAE, dae
from ppgn.priors.gaussian import Gaussian, gaussian
from ppgn.priors.joint import Joint, joint
from ppgn.priors.none import NoPrior, none

__all__ = ["DAE", "Gaussian", "Joint", "NoPrior", "dae", "gaussian", "joint", "none"]
