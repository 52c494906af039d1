"""Networks that come with the toolkit: bundles, their cards and what is measured of them."""

from ppgn.pretrained.bundled import load
from ppgn.pretrained.cards import Card, card, cards, network
from ppgn.pretrained.cards import bundle as describe
from ppgn.pretrained.cards import bundles as names

__all__ = ["Card", "card", "cards", "describe", "load", "names", "network"]
