"""No damaged file of anybody's does more than raise an error of ours, in no more memory than twice its size."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import caffe_files
import caffe_nets
import numpy as np
import pytest
import torch
from damage import damaged, nested, outcome, varint

from ppgn import files, models, pretrained
from ppgn.models.caffe_layouts import convolution, linear, relu
from ppgn.pretrained.caffe.caffemodel import read_blob, read_net
from ppgn.pretrained.caffe.protobuf import BLOCK

ALLOWED = 2**19  # bytes beside twice the file: a tiny file's messages, layers and modules are Python objects


def tiny(age="new"):
    """Every kind of message in a few hundred bytes, so that most damage hits structure."""
    layers = [
        ("data", "Data", [], ["image", "label"], {"transform": {"crop_size": 12}}, []),
        ("c", "Convolution", ["image"], ["c"], {"convolution": {"num_output": 2, "kernel_size": [3], "stride": [2]}},
         [np.ones((2, 3, 3, 3)), np.ones(2)]),
        ("r", "ReLU", ["c"], ["c"], {}, []),
        ("p", "Pooling", ["c"], ["p"], {"pooling": {"kernel_size": 3, "stride": 2}}, []),
        ("n", "LRN", ["p"], ["n"], {"lrn": {"local_size": 3, "alpha": 0.1}}, []),
        ("f", "InnerProduct", ["n"], ["f"], {"inner_product": {"num_output": 3}}, [np.ones((3, 8)), np.ones(3)]),
        ("loss", "SoftmaxWithLoss", ["f", "label"], ["loss"], {}, []),
    ]  # fmt: skip
    return caffe_files.encode(layers, age=age)


def test_a_thousand_damaged_caffemodels(tmp_path):
    rng = np.random.default_rng(0)
    whole = [tiny(age) for age in ("new", "V1", "V0")] * 7
    whole += [caffe_files.encode(caffe_nets.caffenet(), age="V1"), caffe_files.encode(caffe_nets.generator("fc6"))]
    path, ends, worst = tmp_path / "net.caffemodel", Counter(), 0
    for i in range(1000):
        path.write_bytes(damaged(whole[i % len(whole)], rng))
        side = 99 if i % len(whole) > 20 else 12
        end, peak = outcome(partial(pretrained.read_caffe, size=side), path)
        ends[end] += 1
        worst = max(worst, peak - 2 * path.stat().st_size)
    assert worst < ALLOWED
    assert ends["DamagedFileError"] > 400, ends
    assert ends["read"] > 100, ends  # numbers that are only other numbers


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"not a network at all",
        varint(100 << 3 | 2) + varint(2**62),  # a layer longer than any file
        nested(varint(2 << 3 | 2), 2000),  # layers in layers
        nested(varint(100 << 3 | 2), 2000),
        nested(varint(7 << 3 | 2), 2000),
        varint(15 << 3 | 3) * 5000,  # groups that never end
        varint(15 << 3 | 3) * 5000 + varint(15 << 3 | 4) * 5000,
        varint(15 << 3 | 3) + varint(16 << 3 | 4),
        (varint(100 << 3 | 2) + b"\x00") * 300_000,  # a million bytes of empty layers
        (varint(3 << 3 | 2) + b"\x00") * 300_000,  # and of empty names
        varint(100 << 3 | 2) + varint(600_000) + (varint(3 << 3 | 2) + b"\x00") * 300_000,
        varint(4 << 3 | 2) + varint(500_000) + b"\x01" * 500_000,  # packed sizes
        varint(3 << 3 | 2) + varint(300_000) + ("a" * 299_996 + "\U0001f600").encode(),  # four bytes a letter
        varint(3 << 3 | 2) + b"\x02\xff\xfe",
        varint(100 << 3 | 2) + b"\x02" + varint(2 << 3) + b"\x01",  # a number where a name should be
        varint(100 << 3) + b"\x01",
        varint(2 << 3 | 2) + b"\x02" + varint(5 << 3) + b"\x7f",  # a type that V1 does not have
        varint(100 << 3 | 2) + b"\x04" + varint(7 << 3 | 2) + b"\x02" + varint(1 << 3) + b"\x05",  # an image of nothing
    ],
    ids=range(20),
)  # fmt: skip
def test_made_to_hurt(tmp_path, content):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    end, peak = outcome(pretrained.read_caffe, path)
    assert end != "read"
    assert peak < 2 * len(content) + 24 * ALLOWED  # 20,000 kept objects of some 500 bytes


def test_the_error_names_file_and_byte(tmp_path):
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(tiny()[:-1])
    with pytest.raises(
        files.DamagedFileError, match=r"cut\.caffemodel must have \d+ bytes for field 100 at byte \d+, got"
    ):
        read_net(path)
    blob = caffe_files.messages()["BlobProto"](num=2, channels=2, height=1, width=1, data=[1, 2, 3])
    path.write_bytes(blob.SerializeToString())
    with pytest.raises(
        files.DamagedFileError, match=r"as many numbers as its shape \(2, 2, 1, 1\) has at byte 0, got 3"
    ):
        read_blob(path)
    for dims in ([-1, -3], [0], [2**40, 2**40], [1] * 33):
        blob = caffe_files.messages()["BlobProto"](data=[1, 2, 3])
        blob.shape.dim.extend(dims)
        path.write_bytes(blob.SerializeToString())
        with pytest.raises(files.DamagedFileError, match="as many numbers as its shape"):
            read_blob(path)


@pytest.mark.parametrize("double", [False, True])
def test_numbers_in_pieces(tmp_path, double):
    """One array as the wire may have it: packed in several fields, or with a key each, in long runs and in short."""
    kind, key = ("<f8", 8) if double else ("<f4", 5)
    values = np.arange(2 * BLOCK + 40).astype(kind)
    whole, parts = [values[:10], values[10 : 2 * BLOCK + 20], values[2 * BLOCK + 20 :]], []
    for i, part in enumerate(whole):
        if i % 2:
            alone = varint(key << 3 | (1 if double else 5))
            parts += [alone + number.tobytes() for number in part]
        else:
            parts += [varint(key << 3 | 2) + varint(part.nbytes) + part.tobytes()]
        parts += [varint(99 << 3 | 2) + b"\x03abc"]  # unknown
    shape = varint(7 << 3 | 2) + varint(1 + len(varint(len(values)))) + varint(1 << 3) + varint(len(values))
    path = tmp_path / "blob"
    path.write_bytes(b"".join(parts) + shape)
    blob = read_blob(path)
    assert blob.values.dtype == kind
    assert np.array_equal(blob.values, values)


def small_networks():
    layers = [convolution("c", "x", 3, 2, 3), relu("r", "c"), linear("f", "c", 2 * 36, 3)]
    return {
        "caffe": models.CaffeNetwork(layers, (8, 8), h="c"),
        "classifier": models.ConvClassifier((1, 8, 8), 3, width=2, code=4),
        "ladder": models.LadderDenoiser(4, width=4, blocks=1, embedding=2),
        "generator": models.UpconvGenerator(4, (1, 8, 8), (2, 2)),
    }


def test_a_thousand_damaged_safetensors(tmp_path):
    rng = np.random.default_rng(1)
    whole = []
    for name, network in small_networks().items():
        models.save(network, tmp_path / f"{name}.safetensors")
        whole.append((tmp_path / f"{name}.safetensors").read_bytes())
    path, ends, worst = tmp_path / "a.safetensors", Counter(), 0
    for i in range(1000):
        path.write_bytes(damaged(whole[i % len(whole)], rng))
        for read in (models.load, pretrained.read_state):
            end, peak = outcome(read, path)
            ends[read.__name__, end] += 1
            worst = max(worst, peak - 2 * path.stat().st_size)
    assert worst < ALLOWED
    assert ends["load", "DamagedFileError"] > 500, ends
    assert ends["load", "read"] > 20, ends
    assert ends["load", "ValueError"] == ends["read_state", "ValueError"] == 0, ends


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("[" * 100_000, "must have a JSON header"),
        ("[]", "must have a JSON object for its header, got list"),
        ("{", "must have a JSON header"),
        ('{"architecture": ["ConvClassifier"]}', "must name an architecture of"),
        ('{"architecture": "ConvClassifier", "config": {"code": 1000000000}}', "may not take more than 1048578"),
        ('{"architecture": "ConvClassifier", "config": {"code": -4}}', "must have a configuration that ConvClassifier"),
        ('{"architecture": "ConvClassifier", "config": {"kode": 4}}', "unexpected keyword argument 'kode'"),
        ('{"architecture": "ConvClassifier", "config": 4}', "must have a configuration that ConvClassifier takes"),
        ('{"architecture": "ConvClassifier", "config": {"image_shape": [1]}}', "must have a configuration"),
        ('{"architecture": "CaffeNetwork", "config": {"layers": [{"name": "a"}]}}', "must be of a type of"),
    ],
)  # fmt: skip
def test_headers_made_to_hurt(tmp_path, header, message):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors", {"ppgn": header})
    with pytest.raises(files.DamagedFileError, match=message):
        models.load(tmp_path / "a.safetensors")


CHILD = """
import os, resource, sys
from pathlib import Path
import torch
from ppgn import models, pretrained
torch.set_num_threads(1)
read = {"caffemodel": pretrained.read_caffe, "safetensors": models.load}
small, *paths = map(Path, sys.argv[1:])
read[small.suffix[1:]](small)  # so that what is made once is there
data = [int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData")][0]
for path in paths:
    bound = data + 2 * path.stat().st_size + 2**24
    resource.setrlimit(resource.RLIMIT_DATA, (bound, resource.RLIM_INFINITY))
    try:
        read[path.suffix[1:]](path)
        print("read")
    except ValueError as error:
        print(type(error).__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("kind", ["caffemodel", "safetensors"])
def test_memory_of_all_kinds_is_bounded(tmp_path, kind):
    """A 33 MB file, whole and damaged, under a limit of the kernel's at twice its size, PyTorch's memory included."""
    rng = np.random.default_rng(2)
    weights = np.ones((1000, 8192), np.float32)
    layers = [
        ("c", "Convolution", ["x"], ["c"], {"convolution": {"num_output": 2, "kernel_size": [1]}},
         [np.ones((2, 3, 1, 1)), np.ones(2)]),
        ("f", "InnerProduct", ["c"], ["f"], {"inner_product": {"num_output": 1000}}, [weights, np.ones(1000)]),
    ]  # fmt: skip
    if kind == "caffemodel":
        whole, small = caffe_files.encode(layers, inputs=[("x", (1, 3, 64, 64))], packed=True), tiny()
    else:
        network = models.CaffeNetwork([linear("f", "x", 3 * 52 * 52, 1000)], (52, 52))
        models.save(models.ConvClassifier((1, 8, 8), 3, width=2, code=4), tmp_path / "s.safetensors")
        models.save(network, tmp_path / "w.safetensors")
        whole, small = (tmp_path / "w.safetensors").read_bytes(), (tmp_path / "s.safetensors").read_bytes()
    paths = []
    for i in range(6):
        paths.append(tmp_path / f"{i}.{kind}")
        paths[-1].write_bytes(damaged(whole, rng) if i > 1 else whole)
    (tmp_path / f"small.{kind}").write_bytes(small)
    run = [sys.executable, "-c", CHILD, str(tmp_path / f"small.{kind}"), *map(str, paths)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == len(paths)
    assert done.stdout.split()[:2] == ["read", "read"]  # the whole ones
