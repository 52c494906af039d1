"""Networks that come with the toolkit: bundles, their cards and what is measured of them."""

from ppgn.pretrained.bundled import load
from ppgn.pretrained.catalogue import Card, card, cards, network
from ppgn.pretrained.catalogue import bundle as describe
from ppgn.pretrained.catalogue import bundles as names
from ppgn.pretrained.generators import ImageGenerator, generator
from ppgn.pretrained.sharing import from_pretrained, push, save
from ppgn.pretrained.states import frozen, load_weights, read_state

__all__ = [
    "Card", "ImageGenerator", "card", "cards", "describe", "from_pretrained", "frozen", "generator", "load",
    "load_weights", "names", "network", "push", "read_state", "save",
]  # fmt: skip
