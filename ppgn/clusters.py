"""The facets of a neuron: the different kinds of images that excite it, each as a code to start a walk from.

A unit that answers to storefronts and to cash registers shows a blend of them when it is climbed from one mean. Its
best images are clustered in the space of codes instead, and each cluster's mean is a start (multifaceted feature
visualization: Nguyen, Yosinski & Clune 2016, who cluster after PCA and t-SNE and take the mean of the 15 images nearest
to each centre; here k-means is of the codes themselves, and the mean of the whole cluster).
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

TRIES, ITERATIONS = 10, 100


def facets(codes: Tensor, k: int, seed: int = 0) -> Tensor:
    """Mean codes (k, *latent) of k clusters of codes (N, *latent), the largest cluster's first.

    codes   of the real images that excite the unit most, as `pipeline.encode` gives them

    k-means from k-means++ starts, the best of ten, by the seed alone. Raises ValueError for k < 1, or more than there
    are different codes; for codes that are no finite floats.

    >>> import ppgn, torch
    >>> near = torch.tensor([[0.0], [0.2], [5.0], [5.1], [5.2]])
    >>> facets(near, k=2)
    tensor([[5.1000],
            [0.1000]])
    """
    if not codes.is_floating_point() or codes.ndim < 2 or not bool(torch.isfinite(codes).all()):
        raise ValueError(f"codes must be finite floats (N, *latent), got {codes.dtype} {tuple(codes.shape)}")
    points = codes.detach().flatten(1).double().cpu().numpy()
    different = len(np.unique(points, axis=0))
    if not 1 <= k <= different:
        raise ValueError(f"k must lie between 1 and the number of different codes, {different}, got {k}")
    label = torch.from_numpy(_labels(points, k, seed)).to(codes.device)
    members = torch.bincount(label, minlength=k).argsort(descending=True, stable=True)
    return torch.stack([codes.detach()[label == cluster].mean(0) for cluster in members.tolist()])


def _labels(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    """(N,): the cluster of each point, none empty; of several tries the one of the least squared distance."""
    from scipy.cluster.vq import ClusterError, kmeans2  # a tenth of a second to import

    best, least = None, np.inf
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, attempt])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # k-means++ among points that coincide
                centres, label = kmeans2(points, k, iter=ITERATIONS, minit="++", missing="raise", rng=rng)
        except ClusterError:  # one became empty on the way
            continue
        off = float(((points - centres[label]) ** 2).sum())
        if off < least and len(np.unique(label)) == k:
            best, least = label, off
    return _farthest(points, k) if best is None else best


def _farthest(points: np.ndarray, k: int) -> np.ndarray:
    """(N,): the nearest of k points that lie far from each other, each the farthest from those before (Gonzalez 1985).

    For codes of which many coincide, where k-means loses clusters.
    """
    chosen = [0]
    distance = ((points - points[0]) ** 2).sum(1)
    label = np.zeros(len(points), np.int64)
    while len(chosen) < k:
        chosen.append(int(distance.argmax()))
        to_new = ((points - points[chosen[-1]]) ** 2).sum(1)
        label[to_new < distance] = len(chosen) - 1
        distance = np.minimum(distance, to_new)
    return label
