"""How p(h | y) is walked: pure init/step kernels and the iterator over their states."""

from ppgn.samplers.langevin import LangevinState, activation_max, mala_approx
from ppgn.samplers.schedules import geometric, linear
from ppgn.samplers.walks import chain, walk

__all__ = ["LangevinState", "activation_max", "chain", "geometric", "linear", "mala_approx", "walk"]
