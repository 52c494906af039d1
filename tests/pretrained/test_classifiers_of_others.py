"""Classifiers of other makers, with their published accuracies. They need weights that do not come with this."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image
from torch import nn

import ppgn
from ppgn.conditions import class_label
from ppgn.pretrained import classifier, load_weights, read_state


def test_squeezenet_of_another_maker_knows_photographs(third_party):
    made = classifier("torchvision/squeezenet1_0", weights=third_party("imagenet_squeezenet1_0"))
    path = SHARED / "data" / "imagenet1000_256.zip"
    if not path.exists():
        pytest.skip("needs the ImageNet samples, which do not come with the repository")
    archive = zipfile.ZipFile(path)
    rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))[::20]
    pictures = [np.asarray(Image.open(io.BytesIO(archive.read(row["file"]))).convert("RGB")) for row in rows]
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    right = made(x).argmax(1) == torch.tensor([int(row["label"]) for row in rows])
    assert 0.616 - 4 * (0.24 / len(rows)) ** 0.5 < right.float().mean()
    names = [row["name"].split(",")[0].replace("_", " ").casefold() for row in rows]
    assert np.mean([made.class_names[int(r["label"])].casefold() == n for r, n in zip(rows, names, strict=True)]) > 0.8


def lenet() -> nn.Sequential:
    convolutions = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return nn.Sequential(convolutions, nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def test_lenet_of_another_maker_knows_digits_in_any_colour(third_party, mnist_file, tmp_path):
    names = {"convnet.c1": "0.0", "convnet.c3": "0.3", "convnet.c5": "0.6", "fc.f6": "1", "fc.f7": "3"}
    state = read_state(third_party("mnist_lenet5"))
    renamed = {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()}
    made = classifier(load_weights(lenet(), renamed), size=32)
    test = ppgn.data.load(mnist_file, "test")
    x, labels = ppgn.data.to_float(test.images[:1000]), test.labels[:1000]
    assert abs((made(x).argmax(1) == labels).float().mean() - 0.9908) < 4 * (0.9908 * 0.0092 / 1000) ** 0.5
    assert torch.allclose(made(x.expand(-1, 3, -1, -1)), made(x), atol=1e-4)
    with pytest.raises(
        ValueError, match=r"must hold the 10 tensors of Sequential: 10 missing: .*; 10 unknown: convnet"
    ):
        classifier(lenet(), weights=third_party("mnist_lenet5"))


class Block(nn.Module):
    """Of akamaster's ResNet-20: a shortcut without weights."""

    def __init__(self, width, out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.more = (out - width) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.more:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return (x + y).relu()


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


def test_resnet20_of_another_maker_knows_small_photographs(third_party):
    path = SHARED / "data" / "cifar10_lossless5k.npz"
    if not path.exists():
        pytest.skip("needs the CIFAR-10 images, which do not come with the repository")
    own = ResNet20()
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    made = classifier(
        own, weights=third_party("cifar10_resnet20"), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
        class_names=names,
    )  # fmt: skip
    arrays = np.load(path)
    x = torch.from_numpy(arrays["x_test"]).permute(0, 3, 1, 2) / 255
    right = made(x).argmax(1) == torch.from_numpy(arrays["y_test"])
    assert abs(right.float().mean() - 0.915) < 0.002
    assert class_label(made, "frog").label == 6
