"""Caffe files made by google.protobuf from the needed part of caffe.proto, independently of the reader under test."""

from __future__ import annotations

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TYPES = {"int32": 5, "int64": 3, "uint32": 13, "bool": 8, "float": 2, "double": 1, "string": 9, "enum": 5}
BLOB = """
BlobShape: *int64 dim=1 packed
BlobProto: BlobShape shape=7; *float data=5 packed; *float diff=6 packed; *double double_data=8 packed;
    int32 num=1; int32 channels=2; int32 height=3; int32 width=4
"""
PROTO = """
TransformationParameter: float scale=1; uint32 crop_size=3; string mean_file=4; *float mean_value=5
FillerParameter: string type=1; float value=2
NetStateRule: enum phase=1
ParamSpec: string name=1; float lr_mult=3; float decay_mult=4
ConvolutionParameter: uint32 num_output=1; bool bias_term=2; *uint32 pad=3; *uint32 kernel_size=4; uint32 group=5;
    *uint32 stride=6; FillerParameter weight_filler=7; uint32 pad_h=9; uint32 pad_w=10; uint32 kernel_h=11;
    uint32 kernel_w=12; uint32 stride_h=13; uint32 stride_w=14; enum engine=15; int32 axis=16; *uint32 dilation=18
InnerProductParameter: uint32 num_output=1; bool bias_term=2; FillerParameter weight_filler=3; int32 axis=5;
    bool transpose=6
LRNParameter: uint32 local_size=1; float alpha=2; float beta=3; enum norm_region=4; float k=5
PoolingParameter: enum pool=1; uint32 kernel_size=2; uint32 stride=3; uint32 pad=4; uint32 kernel_h=5;
    uint32 kernel_w=6; uint32 stride_h=7; uint32 stride_w=8; uint32 pad_h=9; uint32 pad_w=10;
    bool global_pooling=12; enum round_mode=13
ReLUParameter: float negative_slope=1
ReshapeParameter: BlobShape shape=1; int32 axis=2; int32 num_axes=3
SoftmaxParameter: int32 axis=2
LogParameter: float base=1; float scale=2; float shift=3
FlattenParameter: int32 axis=1; int32 end_axis=2
DropoutParameter: float dropout_ratio=1
InputParameter: *BlobShape shape=1
LayerParameter: string name=1; string type=2; *string bottom=3; *string top=4; *float loss_weight=5; *ParamSpec param=6;
    *BlobProto blobs=7; *NetStateRule include=8; TransformationParameter transform_param=100;
    ConvolutionParameter convolution_param=106; DropoutParameter dropout_param=108;
    InnerProductParameter inner_product_param=117; LRNParameter lrn_param=118; PoolingParameter pooling_param=121;
    ReLUParameter relu_param=123; SoftmaxParameter softmax_param=125; ReshapeParameter reshape_param=133;
    LogParameter log_param=134; FlattenParameter flatten_param=135; InputParameter input_param=143
V0LayerParameter: string name=1; string type=2; uint32 num_output=3; bool biasterm=4; uint32 pad=7; uint32 kernelsize=8;
    uint32 group=9; uint32 stride=10; enum pool=11; float dropout_ratio=12; uint32 local_size=13; float alpha=14;
    float beta=15; string source=16; uint32 cropsize=20; float k=22; *BlobProto blobs=50; *float blobs_lr=51
V1LayerParameter: V0LayerParameter layer=1; *string bottom=2; *string top=3; string name=4; enum type=5;
    *BlobProto blobs=6; *float blobs_lr=7; ConvolutionParameter convolution_param=10; DropoutParameter dropout_param=12;
    InnerProductParameter inner_product_param=17; LRNParameter lrn_param=18; PoolingParameter pooling_param=19;
    ReLUParameter relu_param=30; TransformationParameter transform_param=36; SoftmaxParameter softmax_param=39
NetParameter: string name=1; *V1LayerParameter layers=2; *string input=3; *int32 input_dim=4; bool force_backward=5;
    *BlobShape input_shape=8; *LayerParameter layer=100
"""
V1_TYPES = {
    "Accuracy": 1, "Convolution": 4, "Data": 5, "Dropout": 6, "Flatten": 8, "InnerProduct": 14, "LRN": 15,
    "Pooling": 17, "ReLU": 18, "Sigmoid": 19, "Softmax": 20, "SoftmaxWithLoss": 21, "Split": 22, "Deconvolution": 39,
}  # fmt: skip
V0_TYPES = {
    "Convolution": "conv", "InnerProduct": "innerproduct", "Pooling": "pool", "LRN": "lrn", "ReLU": "relu",
    "Dropout": "dropout", "Softmax": "softmax", "Data": "data", "SoftmaxWithLoss": "softmax_loss",
}  # fmt: skip
V0_NAMES = {"kernel_size": "kernelsize", "bias_term": "biasterm", "crop_size": "cropsize"}


def messages(packed: bool = True):
    """{message name: class}; packed=False writes every number with its own key, as other encoders may."""
    file = descriptor_pb2.FileDescriptorProto(name=f"caffe_{packed}.proto", package="caffe", syntax="proto2")
    text = (BLOB + PROTO).replace("\n    ", " ").replace("\n\n", "\n").strip()
    for line in text.splitlines():
        name, fields = line.split(":")
        message = file.message_type.add(name=name)
        for entry in fields.split(";"):
            kind, name_and_number, *options = entry.split()
            field_name, number = name_and_number.split("=")
            field = message.field.add(name=field_name, number=int(number), label=3 if kind.startswith("*") else 1)
            kind = kind.removeprefix("*")
            field.type = TYPES.get(kind, 11)
            if kind not in TYPES:
                field.type_name = f".caffe.{kind}"
            if options and packed:
                field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        m.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{m.name}"))
        for m in file.message_type
    }


def add_blob(blob, values, legacy: bool = False, double: bool = False):
    """An array as BlobProto; legacy: four axes, as files before 2015 have them."""
    if legacy:
        four = [1] * (4 - values.ndim) + list(values.shape)
        blob.num, blob.channels, blob.height, blob.width = four
    else:
        blob.shape.dim.extend(values.shape)
    (blob.double_data if double else blob.data).extend(np.asarray(values, np.float64 if double else np.float32).ravel())


def encode(layers, inputs=(), age: str = "new", packed: bool = True, double: bool = False) -> bytes:
    """A .caffemodel of layers (name, type, bottoms, tops, {group: {field: value}}, [arrays]); age: new, V1 or V0."""
    net = messages(packed)["NetParameter"](name="a net")
    for name, shape in inputs:
        net.input.append(name)
        net.input_shape.add().dim.extend(shape) if age == "new" else net.input_dim.extend(shape)
    for name, kind, bottoms, tops, settings, arrays in layers:
        layer = net.layer.add() if age == "new" else net.layers.add()
        layer.bottom.extend(bottoms)
        layer.top.extend(tops)
        inner = layer.layer if age == "V0" else layer
        inner.name = name
        inner.type = {"new": kind, "V1": V1_TYPES.get(kind, 0), "V0": V0_TYPES.get(kind, kind)}[age]
        for group, values in settings.items():
            target = inner if age == "V0" else getattr(layer, f"{group}_param")
            target.SetInParent() if age != "V0" else None
            for field, value in values.items():
                _set(target, V0_NAMES.get(field, field) if age == "V0" else field, value)
        for values in arrays:
            add_blob(inner.blobs.add(), values, legacy=age != "new", double=double)
    return net.SerializeToString()


def _set(message, field, value):
    current = getattr(message, field)
    if isinstance(value, dict):
        for key, inner in value.items():
            _set(current, key, inner)
    elif isinstance(current, int | float | bool | str):
        setattr(message, field, value[0] if isinstance(value, list) else value)
    else:
        current.extend(value if isinstance(value, list) else [value])
