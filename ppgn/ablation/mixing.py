"""How the chains of a cell mixed: R-hat and effective sample size of log p(y | x), class by class.

Rank-normalised split R-hat and bulk effective size (Vehtari et al. 2021), by arviz, of the second half of the walk.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ppgn import diagnostics
from ppgn.samples import Samples

FEWEST = 20  # draws of a chain: of fewer, either figure is noise


def mixing(samples: Samples) -> dict[str, float | str]:
    """{"r_hat": the largest of the classes, "ess": their sum}; the reason in place of both where there is none.

    `ess` is of all chains and draws of the second half of the walk.
    """
    series = samples.series["log_condition"]
    half = series[len(series) // 2 :].double()
    labels = torch.zeros(half.shape[1], dtype=torch.int64) if samples.labels is None else samples.labels
    if samples.record["ends"]:
        return _neither("the sampler's draws are independent, no walk")
    if samples.record["sampler"].get("levels", 0) > len(series) // 2:
        return _neither("each step of the walk has a target of its own, down its ladder of noise")
    if len(half) < FEWEST:
        return _neither(f"the second half of the walk must have {FEWEST} draws, it has {len(half)}")
    if int(labels.unique(return_counts=True)[1].min()) < 2:
        return _neither("R-hat compares two chains of a class or more")
    try:
        arviz = diagnostics.import_arviz()
    except ImportError as error:
        return _neither(str(error))
    parts = [half[:, labels == label].T.numpy() for label in labels.unique()]
    if any(np.ptp(part, axis=1).min() == 0 for part in parts):
        return _neither("log p of a chain does not change")
    with warnings.catch_warnings():  # many short chains are no mistake
        warnings.simplefilter("ignore")
        r_hat = max(float(arviz.rhat(part)) for part in parts)
        ess = sum(float(arviz.ess(part, method="bulk")) for part in parts)
    return {"r_hat": r_hat, "ess": ess}


def _neither(reason: str) -> dict[str, float | str]:
    return {"r_hat": reason, "ess": reason}
