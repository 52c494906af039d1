"""`--likelihood`: what an image is, given a network's output, in a word."""

from __future__ import annotations

from typing import Annotated

import typer

from ppgn.models.likelihoods import Bernoulli, Categorical, Likelihood, LogisticMixture, Normal

FORMS = "bernoulli, categorical[:LEVELS], mixture[:LOGISTICS], normal or normal:shared"
Named = Annotated[str, typer.Option(help=f"{FORMS}; bernoulli: of images made black and white anew in each step")]


def likelihood_of(text: str) -> Likelihood:
    """The likelihood of a word, with its number after a colon. Raises ValueError for any other text.

    >>> likelihood_of("categorical:16"), likelihood_of("normal:shared")
    (Categorical(levels=16), Normal(shared=True, least=0.001))
    """
    name, colon, number = text.partition(":")
    if text in ("normal", "normal:shared"):
        return Normal(shared=bool(colon))
    if text == "bernoulli":
        return Bernoulli()
    if name in ("categorical", "mixture") and (not colon or number.isdigit()):
        levels = Categorical if name == "categorical" else LogisticMixture
        return levels(int(number)) if colon else levels()
    raise ValueError(f"likelihood must be {FORMS}, got {text!r}")
