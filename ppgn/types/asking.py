"""Conditions, and the networks that they ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from ppgn.types.parts import Rng


@runtime_checkable
class Condition(Protocol):
    """How well an image fits what was asked; y is bound inside."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log p(y | x) in nats, row i by row i's own y."""
        ...

    def rows(self, index: Tensor) -> Condition:
        """Return the same condition for those rows only, so that micro-batches keep their own labels."""
        ...


@runtime_checkable
class Varying(Condition, Protocol):
    """A condition of which some part is drawn anew at each step of a walk, as random views of the image."""

    @property
    def varies(self) -> bool:
        """Whether it does: what is made of other conditions varies if one of them does."""
        ...

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Condition:
        """The condition as it is at that step, from (seed, chain, step) alone.

        like: (B, ...) says how many rows there are, their device and type.
        """
        ...


@runtime_checkable
class Measured(Condition, Protocol):
    """A condition that says what its log_prob is; of others it is taken to be nats."""

    @property
    def nats(self) -> bool:
        """Whether it is the log of a probability or density, up to a constant; False for activations, of any unit."""
        ...


@runtime_checkable
class Complemented(Condition, Protocol):
    """A condition whose opposite has a probability too."""

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log(1 - p(y | x)) in nats."""
        ...


@runtime_checkable
class Filling(Condition, Protocol):
    """A condition of which part of the image is known beforehand, as pixels around a hole."""

    def composite(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the image with what is known in its place, and x elsewhere."""
        ...

    def rows(self, index: Tensor) -> Filling:
        """The same for those rows."""
        ...


@runtime_checkable
class NamedClasses(Protocol):
    """A classifier that knows what its classes are called."""

    @property
    def class_names(self) -> Sequence[str]:
        """One a class, in the order of the logits; synonyms are parted by commas. Empty: not known."""
        ...


@runtime_checkable
class Captioning(Protocol):
    """A network that knows how likely a sentence is for an image, as `ppgn.models.Captioner`."""

    def tokens(self, text: str, /) -> Tensor:
        """The sentence as numbers (L,) from 0 on, its end among them; ValueError for an empty one or unknown words."""
        ...

    def log_prob(self, x: Tensor, tokens: Tensor, /) -> Tensor:
        """(B, C, H, W) and sentences (B, L), filled up with -1, which counts nothing -> (B,): log p(sentence | x)."""
        ...


@runtime_checkable
class ImageText(Protocol):
    """A network that tells how well texts fit an image, as `ppgn.pretrained.image_text`."""

    def embedded(self, texts: Sequence[str], /) -> Tensor:
        """(T, d): a vector for each text, where the network is."""
        ...

    def similarity(self, x: Tensor, texts: Tensor, /) -> Tensor:
        """Images (B, C, H, W) and vectors of texts (T, d) -> (B, T): logits of which text belongs to an image."""
        ...
