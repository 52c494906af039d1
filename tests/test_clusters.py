from __future__ import annotations

import pytest
import torch
from scipy.cluster import vq
from targets import assert_close

from ppgn import facets

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def clouds(sizes, seed=0):
    """Normals of deviation 1 about far centres, in a random order."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.cat([torch.full((size,), i) for i, size in enumerate(sizes)])
    label = label[torch.randperm(len(label), generator=rng)]
    return CENTRES[label] + torch.randn(len(label), 2, generator=rng), label


@pytest.mark.parametrize("seed", range(5))
def test_separated_clusters_are_found_and_their_means_given_the_largest_first(seed):
    sizes = (40, 70, 20, 110)
    codes, label = clouds(sizes, seed)
    means = torch.stack([codes[label == i].mean(0) for i in (3, 1, 0, 2)])
    found = facets(codes, 4, seed)
    assert torch.allclose(found, means, atol=1e-5)
    assert_close(found[0], CENTRES[3], 110**-0.5)


def test_the_seed_alone_decides_and_shape_and_type_are_the_codes():
    codes, _ = clouds((30, 30, 30, 30))
    assert torch.equal(facets(codes, 7, 3), facets(codes, 7, 3))
    assert not torch.equal(facets(codes, 7, 3), facets(codes, 7, 4))
    maps = codes.view(-1, 2, 1, 1).double().requires_grad_()
    found = facets(maps, 4)
    assert (found.shape, found.dtype, found.requires_grad) == ((4, 2, 1, 1), torch.float64, False)
    assert torch.allclose(found.flatten(1).float(), facets(codes, 4), atol=1e-5)


def test_one_facet_is_the_mean_and_as_many_as_codes_are_the_codes():
    codes, _ = clouds((3, 3, 3, 3))
    assert torch.allclose(facets(codes, 1), codes.mean(0, keepdim=True), atol=1e-6)
    every = facets(codes, 12)
    assert torch.cdist(codes, every).min(1).values.max() == 0
    assert len(every.unique(dim=0)) == 12


@pytest.mark.parametrize("seed", range(4))
def test_codes_that_coincide_leave_no_cluster_empty(seed):
    codes = torch.tensor([[0.0], [1.0], [2.0], [3.0]]).repeat_interleave(torch.tensor([50, 1, 1, 50]), 0)
    assert facets(codes, 4, seed).flatten().sort().values.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="between 1 and the number of different codes, 4, got 5"):
        facets(codes, 5)


def test_facets_of_a_neuron_are_starts_that_show_different_digits():
    """A "neuron" for round digits, the sum of two classes: its facets decode to images of both."""
    import ppgn

    digits = ppgn.load("mnist", "ppgn-h")
    labels = torch.tensor([0, 1]).repeat(8)
    asked = ppgn.conditions.class_label(digits.classifier, labels)
    codes = ppgn.sample(digits.given(asked), 16, 60, 0, frames=0, progress=False).codes
    shown = digits.classifier(digits.generator(facets(codes, 2))).argmax(1)
    assert sorted(shown.tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("codes", "k", "message"),
    [
        (torch.zeros(3, 2), 2, "number of different codes, 1, got 2"),
        (torch.eye(3), 0, "k must lie between 1 and .* 3, got 0"),
        (torch.eye(3), 4, "3, got 4"),
        (torch.eye(3).long(), 2, r"finite floats \(N, \*latent\), got torch.int64 \(3, 3\)"),
        (torch.ones(3), 2, r"got torch.float32 \(3,\)"),
        (torch.full((3, 2), torch.nan), 2, "codes must be finite floats"),
    ],
)
def test_bad_input(codes, k, message):
    with pytest.raises(ValueError, match=message):
        facets(codes, k)


def test_points_that_mostly_coincide_are_parted_by_distance(monkeypatch):
    """Where k-means loses clusters at each try: each centre is the farthest from those before."""

    def loses(*arguments, **options):
        raise vq.ClusterError("empty")

    monkeypatch.setattr(vq, "kmeans2", loses)
    codes = torch.tensor([[0.0]] * 5 + [[10.0]] * 2 + [[4.0]])
    assert facets(codes, k=3).tolist() == [[0.0], [10.0], [4.0]]
    assert facets(codes, k=2).tolist() == [[pytest.approx(4 / 6)], [10.0]]
