"""Scores of p(h). Each prior is one module: a builder and the frozen record it makes."""

from ppgn.priors._dae import DAE, dae
from ppgn.priors._gaussian import Gaussian, gaussian
from ppgn.priors._joint import Joint, joint
from ppgn.priors._none import NoPrior, none

__all__ = ["DAE", "Gaussian", "Joint", "NoPrior", "dae", "gaussian", "joint", "none"]
