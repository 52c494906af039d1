"""Networks of the Caffe years: the files that the authors of DGN-AM and PPGN published, as modules of torch."""

from ppgn.pretrained.caffe.deepsim import read_deepsim
from ppgn.pretrained.caffe.networks import read_caffe

__all__ = ["read_caffe", "read_deepsim"]
