"""How p(h | y) is walked: pure init/step kernels and the iterator over their states."""

from ppgn.samplers.annealing import annealed
from ppgn.samplers.independent import RejectionState, best_of_n, isir, rejection
from ppgn.samplers.langevin import LangevinState, activation_max, mala_approx, ula
from ppgn.samplers.metropolis import MalaState, mala
from ppgn.samplers.population import SmcState, smc
from ppgn.samplers.restarts import restarting
from ppgn.samplers.schedules import geometric, linear, redrawn
from ppgn.samplers.walks import chain, cycle, walk

__all__ = [
    "LangevinState",
    "MalaState",
    "RejectionState",
    "SmcState",
    "activation_max",
    "annealed",
    "best_of_n",
    "chain",
    "cycle",
    "geometric",
    "isir",
    "linear",
    "mala",
    "mala_approx",
    "redrawn",
    "rejection",
    "restarting",
    "smc",
    "ula",
    "walk",
]
