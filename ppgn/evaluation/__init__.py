"""Figures of merit of samples, each from a judge that was never the condition.

Distances depend on the features they are measured in: a number means something only beside the floor of real images,
at the same n, through the same judge. `evaluate` gives all of them so; the rest is what it is made of.
"""

from ppgn.evaluation.chains import Mixing, cost, independent_draws, mixing
from ppgn.evaluation.diversity import spread, spread_in_classes
from ppgn.evaluation.drawing import Real
from ppgn.evaluation.evaluating import evaluate
from ppgn.evaluation.figures import LEVEL, Figure, mean, share, wilson
from ppgn.evaluation.frechet import Moments, frechet_distance, frechet_with_error, moments
from ppgn.evaluation.judging import Judge, SameNetworkWarning, agreement, features, in_parts
from ppgn.evaluation.kernel import kernel_distance, kernel_with_error
from ppgn.evaluation.memory import Nearest, memorised, nearest
from ppgn.evaluation.overlaps import Overlap, expected_coverage, overlap
from ppgn.evaluation.report import Report, Row
from ppgn.evaluation.series import effective_size, r_hat, stands_still
from ppgn.evaluation.similarity import ms_ssim, similarity_in_classes
from ppgn.evaluation.two_samples import TwoSample, two_sample

__all__ = [
    "LEVEL",
    "Figure",
    "Judge",
    "Mixing",
    "Moments",
    "Nearest",
    "Overlap",
    "Real",
    "Report",
    "Row",
    "SameNetworkWarning",
    "TwoSample",
    "agreement",
    "cost",
    "effective_size",
    "evaluate",
    "expected_coverage",
    "features",
    "frechet_distance",
    "frechet_with_error",
    "in_parts",
    "independent_draws",
    "kernel_distance",
    "kernel_with_error",
    "mean",
    "memorised",
    "mixing",
    "moments",
    "ms_ssim",
    "nearest",
    "overlap",
    "r_hat",
    "share",
    "similarity_in_classes",
    "spread",
    "spread_in_classes",
    "stands_still",
    "two_sample",
    "wilson",
]
