"""Whole pipelines passed on, as a folder or on huggingface.co."""

from ppgn.pretrained.sharing.pipelines import from_pretrained, push, save

__all__ = ["from_pretrained", "push", "save"]
