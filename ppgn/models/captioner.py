"""A small captioner: a convolutional encoder and a recurrent decoder that puts an image into words.

    log p(sentence | x) = sum_k log p(word_k | words before k, x),   the last word being the end of the sentence

the words before being those of the sentence asked for; PPGN climbs this sum of LRCN's (Nguyen et al. 2017; Donahue et
al. 2015). Here a GRU (Cho et al. 2014) sees words alone, and meets the image only where the next word is chosen, as in
m-RNN (Mao et al. 2015): its state, small and half hidden by dropout, is the place in the sentence, and each word looks
for itself in the image. So words combine that were never seen together.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ppgn.checks import require_shape

PADDING = -1  # after the end of the shorter sentences of a batch


class Captioner(nn.Module):
    """Images (B, C, H, W) in [0, 1] and sentences of the words of a vocabulary.

    vocabulary          the words, each once and in small letters; a word's number is its place, and that of the end of
                        a sentence comes after all
    width, features     channels of the first convolution; numbers that the image is made into
    embedding, hidden   numbers that a word is made into; size of the recurrence's state
    dropout             share of that state that is hidden in training

    Smooth in x everywhere. Raises ValueError for an empty vocabulary, or words that are repeated, or several, or have
    capitals.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 16,
        features: int = 64,
        embedding: int = 16,
        hidden: int = 16,
        dropout: float = 0.5,
    ):
        super().__init__()
        words = tuple(vocabulary)
        if not words or len(set(words)) < len(words) or any(word.casefold().split() != [word] for word in words):
            raise ValueError(f"vocabulary must hold single words in small letters, each once, got {list(words)}")
        self.image_shape = tuple(image_shape)
        channels, *sides = self.image_shape
        self.config: dict[str, Any] = {
            "vocabulary": list(words), "image_shape": list(image_shape), "width": width, "features": features,
            "embedding": embedding, "hidden": hidden, "dropout": dropout,
        }  # fmt: skip
        self.vocabulary, self.end = words, len(words)
        height, side = (-(-n // 8) for n in sides)  # three times halved, rounded up
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv2d(width, 2 * width, 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1), nn.SiLU(),
            nn.Flatten(), nn.Linear(2 * width * height * side, features), nn.SiLU(),
        )  # fmt: skip
        self.embedding = nn.Embedding(len(words) + 1, embedding)  # the end of a sentence begins the next
        self.grammar, self.dropout = nn.GRUCell(embedding, hidden), nn.Dropout(dropout)
        self.head = nn.Linear(features + hidden, len(words) + 1)

    def tokens(self, text: str) -> Tensor:
        """The sentence's words and its end as numbers (L,), int64, on the CPU.

        Raises ValueError for an empty sentence, or a word that is not in the vocabulary, naming the nearest that are.
        """
        words = text.casefold().split()
        if not words:
            raise ValueError("caption must have a word, got an empty one")
        for word in words:
            if word not in self.vocabulary:
                near = difflib.get_close_matches(word, self.vocabulary, n=3, cutoff=0.4)
                told = f"; the nearest are {', '.join(map(repr, near))}" if near else f": {', '.join(self.vocabulary)}"
                raise ValueError(
                    f"caption must be made of the captioner's {len(self.vocabulary)} words, got {word!r}{told}"
                )
        return torch.tensor([*map(self.vocabulary.index, words), self.end])

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, L, words + 1) of each word of the sentences (B, L), the words before it being theirs.

        Raises ValueError for images of another shape.
        """
        self._require(x)
        before = torch.cat([torch.full_like(tokens[:, :1], self.end), tokens[:, :-1].clamp(min=0)], 1)
        code: Tensor = self.encoder(x)
        state = code.new_zeros(len(x), self.grammar.hidden_size)
        states = []
        for word in self.embedding(before).unbind(1):
            state = self.grammar(word, state)
            states.append(state)
        return self._next(code[:, None].expand(-1, len(states), -1), torch.stack(states, 1))

    def log_prob(self, x: Tensor, tokens: Tensor) -> Tensor:
        """log p(sentence | x) in nats, (B,), of sentences (B, L) as `tokens` gives them; what is below 0 is padding.

        Raises ValueError for another shape.
        """
        if tokens.ndim != 2 or len(tokens) != len(x):
            raise ValueError(f"tokens must be (B, L), a sentence for each of {len(x)} rows, got {tuple(tokens.shape)}")
        said = self(x, tokens).log_softmax(2).gather(2, tokens.clamp(min=0)[:, :, None])[:, :, 0]
        return torch.where(tokens >= 0, said, 0.0).sum(1)

    @torch.no_grad()
    def describe(self, x: Tensor, longest: int = 20) -> list[str]:
        """A sentence for each image (B, C, H, W): the likeliest word after the other, at most `longest`."""
        self._require(x)
        code: Tensor = self.encoder(x)
        state = code.new_zeros(len(x), self.grammar.hidden_size)
        word = torch.full((len(x),), self.end, device=x.device)
        said = []
        for _ in range(longest):
            state = self.grammar(self.embedding(word), state)
            word = self._next(code, state).argmax(1)
            said.append(word)
        return [self._sentence(row) for row in torch.stack(said, 1).tolist()]

    def _require(self, x: Tensor) -> None:
        require_shape("images", x.shape[1:], self.image_shape, "the captioner was made for those")

    def _next(self, code: Tensor, state: Tensor) -> Tensor:
        """Logits (..., words + 1) from the image's numbers (..., features) and the words' (..., hidden)."""
        logits: Tensor = self.head(torch.cat([code, self.dropout(state)], -1))
        return logits

    def _sentence(self, numbers: list[int]) -> str:
        stop = numbers.index(self.end) if self.end in numbers else len(numbers)
        return " ".join(self.vocabulary[i] for i in numbers[:stop])


def padded(sentences: Sequence[Tensor]) -> Tensor:
    """Sentences (L_i,) as one (B, L), the shorter filled up with PADDING.

    >>> padded([torch.tensor([3, 9]), torch.tensor([1, 2, 9])]).tolist()
    [[3, 9, -1], [1, 2, 9]]
    """
    return nn.utils.rnn.pad_sequence(list(sentences), batch_first=True, padding_value=PADDING)
