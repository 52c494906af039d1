"""Variational autoencoders of other people: their decoders are generators whose codes are standard normal.

ConvVAE    YannDubs/disentangling-vae (MIT), the network of Burgess et al. 2018, in its layout of weights
JointVAE   Schlumberger/joint-vae (MIT), Dupont 2018: normals beside a choice of ten
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

BASE = (32, 4, 4)  # channels and pixels where the linear layers meet the convolutions


class ConvVAE(nn.Module):
    """z (B, latent), standard normal -> x (B, C, S, S) in [0, 1], S 32 or 64; `encode` goes the other way.

    `encoder` alone gives the mean code (B, latent), as a joint prior needs it. Raises ValueError for another size.
    """

    def __init__(self, latent: int = 10, image_shape: tuple[int, int, int] = (3, 64, 64)):
        super().__init__()
        channels, height, width = image_shape
        if (height, width) not in ((32, 32), (64, 64)):
            raise ValueError(f"image sides must be 32x32 or 64x64, got {height}x{width}")
        self.config: dict[str, Any] = {"latent": latent, "image_shape": list(image_shape)}
        self.latent_shape = (latent,)
        self.encoder = _Encoder(latent, channels, height == 64)
        self.decoder = _Decoder(latent, channels, height == 64)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, S, S) -> mean and log-variance of q(z | x), (B, latent) each."""
        return self.encoder.posterior(x)

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, C, S, S) in [0, 1]."""
        x: Tensor = self.decoder(z)
        return x


class _Encoder(nn.Module):
    """Three or four convolutions and two linear layers, then pairs of mean and log-variance."""

    def __init__(self, latent: int, channels: int, larger: bool):
        super().__init__()
        width = BASE[0]
        names = ["conv1", "conv2", "conv3", *(["conv_64"] if larger else [])]
        self.convolutions = names
        for name in names:
            self.add_module(name, nn.Conv2d(channels if name == "conv1" else width, width, 4, 2, 1))
        self.lin1, self.lin2 = nn.Linear(width * 16, 256), nn.Linear(256, 256)
        self.mu_logvar_gen = nn.Linear(256, 2 * latent)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, latent)."""
        for name in self.convolutions:
            x = self.get_submodule(name)(x).relu()
        x = self.lin2(self.lin1(x.flatten(1)).relu()).relu()
        mean, log_variance = self.mu_logvar_gen(x).unflatten(1, (-1, 2)).unbind(2)
        return mean, log_variance

    def forward(self, x: Tensor) -> Tensor:
        """The mean (B, latent)."""
        return self.posterior(x)[0]


class _Decoder(nn.Module):
    """Three linear layers and three or four transposed convolutions."""

    def __init__(self, latent: int, channels: int, larger: bool):
        super().__init__()
        width = BASE[0]
        self.lin1, self.lin2, self.lin3 = nn.Linear(latent, 256), nn.Linear(256, 256), nn.Linear(256, width * 16)
        self.convolutions = [*(["convT_64"] if larger else []), "convT1", "convT2"]
        for name in self.convolutions:
            self.add_module(name, nn.ConvTranspose2d(width, width, 4, 2, 1))
        self.convT3 = nn.ConvTranspose2d(width, channels, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> images in [0, 1]."""
        x: Tensor = self.lin3(self.lin2(self.lin1(z).relu()).relu()).relu().unflatten(1, BASE)
        for name in self.convolutions:
            x = self.get_submodule(name)(x).relu()
        return torch.sigmoid(self.convT3(x))


class JointVAE(nn.Module):
    """z (B, normals + choices), all standard normal -> x (B, 1, 32, 32) in [0, 1].

    The network was trained on normals beside a one-hot choice, relaxed. Here that is the softmax of the last
    coordinates over a low temperature: nearly one-hot, equally likely to be each, and still a differentiable function
    of a normal code. `encode` gives what the network was trained with.
    """

    def __init__(self, normals: int = 10, choices: int = 10, temperature: float = 0.2):
        super().__init__()
        self.config: dict[str, Any] = {"normals": normals, "choices": choices, "temperature": temperature}
        self.normals, self.temperature, self.latent_shape = normals, temperature, (normals + choices,)
        self.img_to_features = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(64, 64, 4, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.features_to_hidden = nn.Sequential(nn.Linear(1024, 256), nn.ReLU())
        self.fc_mean, self.fc_log_var = nn.Linear(256, normals), nn.Linear(256, normals)
        self.fc_alphas = nn.ModuleList([nn.Linear(256, choices)])
        self.latent_to_features = nn.Sequential(
            nn.Linear(normals + choices, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU()
        )
        self.features_to_img = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 1, 32, 32) -> mean and log-variance of the normals (B, normals), probabilities of the choices."""
        hidden = self.features_to_hidden(self.img_to_features(x).flatten(1))
        return self.fc_mean(hidden), self.fc_log_var(hidden), self.fc_alphas[0](hidden).softmax(1)

    def decode(self, normals: Tensor, choice: Tensor) -> Tensor:
        """Normals (B, normals) and a one-hot or probabilities (B, choices) -> (B, 1, 32, 32)."""
        x: Tensor = self.features_to_img(self.latent_to_features(torch.cat([normals, choice], 1)).view(-1, 64, 4, 4))
        return x

    def forward(self, z: Tensor) -> Tensor:
        """(B, normals + choices) -> (B, 1, 32, 32) in [0, 1]."""
        return self.decode(z[:, : self.normals], (z[:, self.normals :] / self.temperature).softmax(1))
