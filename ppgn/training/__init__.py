"""Trainers for the networks that a pipeline is made of: one loop, one module per family."""

from ppgn.training.augment import DiffAugment
from ppgn.training.autoencoder import autoencoder_trainer, image_dae_trainer
from ppgn.training.autoregressive import autoregressive_trainer, bits_per_dim, nats
from ppgn.training.captioner import captioner_trainer
from ppgn.training.classifier import classifier_trainer
from ppgn.training.dae import dae_trainer
from ppgn.training.gan import gan_trainer
from ppgn.training.gan_losses import HINGE, MINIMAX, NON_SATURATING, RELATIVISTIC, GANLoss
from ppgn.training.introspective import introspective_trainer
from ppgn.training.joint import Balance, Noise, Weights, joint_trainer, weights_of_caffe
from ppgn.training.ladder import ladder_trainer
from ppgn.training.loop import Trainer, average_of, cosine, fit
from ppgn.training.processes import count, index, is_main, join
from ppgn.training.runner import run
from ppgn.training.vae import elbo, importance_bound, vae_trainer
from ppgn.training.vaegan import vaegan_trainer

__all__ = [
    "HINGE", "MINIMAX", "NON_SATURATING", "RELATIVISTIC", "Balance", "DiffAugment", "GANLoss", "Noise", "Trainer",
    "Weights", "autoencoder_trainer", "autoregressive_trainer", "average_of", "bits_per_dim", "captioner_trainer",
    "classifier_trainer", "cosine", "count", "dae_trainer", "elbo", "fit", "gan_trainer", "image_dae_trainer",
    "importance_bound", "index", "introspective_trainer", "is_main", "join", "joint_trainer", "ladder_trainer", "nats",
    "run", "vae_trainer", "vaegan_trainer", "weights_of_caffe",
]  # fmt: skip
