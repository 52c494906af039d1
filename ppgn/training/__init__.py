"""Trainers for the networks that a pipeline is made of: one loop, one module per family."""

from ppgn.training.classifier import classifier_trainer
from ppgn.training.dae import dae_trainer
from ppgn.training.joint import Balance, Noise, Weights, joint_trainer, weights_of_caffe
from ppgn.training.ladder import ladder_trainer
from ppgn.training.loop import Trainer, average_of, cosine, fit
from ppgn.training.runner import run

__all__ = [
    "Balance", "Noise", "Trainer", "Weights", "average_of", "classifier_trainer", "cosine", "dae_trainer", "fit",
    "joint_trainer", "ladder_trainer", "run", "weights_of_caffe",
]  # fmt: skip
