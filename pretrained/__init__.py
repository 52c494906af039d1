"""Networks that come with the toolkit: bundles, their cards and what is measured of them."""

from ppgn.pretrained.bundled import load
from ppgn.pretrained.catalogue import Card, card, cards, network
from ppgn.pretrained.catalogue import bundle as describe
from ppgn.pretrained.catalogue import bundles as names

__all__ = ["Card", "card", "cards", "describe", "load", "names", "network"]
