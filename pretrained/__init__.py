"""Networks that come with the toolkit: bundles, their cards and what is measured of them."""

from ppgn.pretrained.bundled import load
from ppgn.pretrained.caffe import read_caffe, read_deepsim
from ppgn.pretrained.captioners import ImageCaptioner, captioner
from ppgn.pretrained.catalogue import Card, card, cards, network
from ppgn.pretrained.catalogue import bundle as describe
from ppgn.pretrained.catalogue import loadable as names
from ppgn.pretrained.classifiers import ImageClassifier, classifier
from ppgn.pretrained.encoders import TrunkEncoder, encoder
from ppgn.pretrained.ensembles import Ensemble, ensemble
from ppgn.pretrained.gans import biggan, biggan_codes, stylegan
from ppgn.pretrained.generators import ImageGenerator, generator
from ppgn.pretrained.image_texts import ImageTextNetwork, image_text
from ppgn.pretrained.inverted import squeezenet_inverter
from ppgn.pretrained.latents import LatentAutoencoder, latent_decoder
from ppgn.pretrained.natural_images import natural
from ppgn.pretrained.preprocessing import Preprocessing
from ppgn.pretrained.sharing import from_pretrained, push, save
from ppgn.pretrained.states import frozen, load_weights, read_state

__all__ = [
    "Card",
    "Ensemble",
    "ImageCaptioner",
    "ImageClassifier",
    "ImageGenerator",
    "ImageTextNetwork",
    "LatentAutoencoder",
    "Preprocessing",
    "TrunkEncoder",
    "biggan",
    "biggan_codes",
    "captioner",
    "card",
    "cards",
    "classifier",
    "describe",
    "encoder",
    "ensemble",
    "from_pretrained",
    "frozen",
    "generator",
    "image_text",
    "latent_decoder",
    "load",
    "load_weights",
    "names",
    "natural",
    "network",
    "push",
    "read_caffe",
    "read_deepsim",
    "read_state",
    "save",
    "squeezenet_inverter",
    "stylegan",
]
