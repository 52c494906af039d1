"""Plug-and-play samplers: a generator, a prior and a condition make p(h | y); a sampler walks it.

>>> import ppgn
>>> digits = ppgn.load("mnist", "ppgn-h")
>>> sevens = digits.given(ppgn.conditions.class_label(digits.classifier, 7))
>>> samples = ppgn.sample(sevens, n=4, steps=5, seed=0, progress=False)
>>> samples.images.shape
torch.Size([4, 1, 28, 28])
"""

from ppgn import ablation, conditions, masks, models, pretrained, priors, random, recipes, samplers, strokes
from ppgn.clusters import facets
from ppgn.diagnostics import SamplingWarning
from ppgn.keeping import kept
from ppgn.pipeline import Pipeline
from ppgn.pretrained import load
from ppgn.receptive import receptive_field
from ppgn.samples import ChainError, Samples
from ppgn.sampling import sample

__all__ = [
    "ChainError",
    "Pipeline",
    "Samples",
    "SamplingWarning",
    "ablation",
    "conditions",
    "facets",
    "kept",
    "load",
    "masks",
    "models",
    "pretrained",
    "priors",
    "random",
    "receptive_field",
    "recipes",
    "sample",
    "samplers",
    "strokes",
]
__version__ = "0.1.0"
