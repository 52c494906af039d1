"""Captioners and CLIP of transformers, small, with random weights, against what the networks themselves compute."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from ppgn import models
from ppgn.conditions import caption, text
from ppgn.pretrained import Preprocessing, captioner, image_text
from ppgn.pretrained.transformers_parts import of_processor

transformers = pytest.importorskip("transformers")

WORDS = ("<pad>", "<s>", "</s>", "<unk>", "a", "thin", "seven", "wide", "cat")
EIGHT = Preprocessing(resize=(8, 8), mode="squash", mean=(0.5,), std=(0.5,), channels=3)
VISION = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 8,
    "patch_size": 4,
}  # fmt: skip
LANGUAGE = {
    "vocab_size": 9, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names)


def encoder_decoder():
    decoder = transformers.GPT2Config(
        vocab_size=9, n_embd=16, n_layer=1, n_head=2, n_positions=16, bos_token_id=1, eos_token_id=2,
        add_cross_attention=True, is_decoder=True,
    )  # fmt: skip
    kind = transformers.VisionEncoderDecoderConfig
    config = kind.from_encoder_decoder_configs(transformers.ViTConfig(**VISION), decoder)
    config.decoder_start_token_id, config.pad_token_id = 1, 0
    return transformers.VisionEncoderDecoderModel(config)


def blip():
    language = {**LANGUAGE, "encoder_hidden_size": 16, "projection_dim": 8, "sep_token_id": 2}
    config = transformers.BlipConfig(text_config=language, vision_config={**VISION, "projection_dim": 8})
    return transformers.BlipForConditionalGeneration(config)


def git():
    return transformers.GitForCausalLM(transformers.GitConfig(vision_config=VISION, **LANGUAGE))


def clip():
    config = transformers.CLIPConfig(text_config=LANGUAGE, vision_config=VISION, projection_dim=8)
    return transformers.CLIPModel(config)


MODELS = {"encoder-decoder": encoder_decoder, "blip": blip, "git": git, "clip": clip}


@pytest.fixture(params=["encoder-decoder", "blip", "git"])
def network(request):
    return woken(models.build(MODELS[request.param], 0))


def woken(network: nn.Module) -> nn.Module:
    """With weights that are large enough for the image to matter."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(i))
    return network.eval()


@pytest.fixture
def x():
    return torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def loss_of(network, x, tokens):
    """-log p a word, as the model's own loss has it, of one sentence with its start and end."""
    pixels = EIGHT(x)
    if isinstance(network, transformers.VisionEncoderDecoderModel):
        return network(pixel_values=pixels, labels=tokens[:, 1:]).loss
    return network(pixel_values=pixels, input_ids=tokens, labels=tokens).loss


def test_log_prob_is_minus_the_models_own_loss_times_the_words(network, tokenizer, x):
    ours = captioner(network, tokenizer, EIGHT)
    texts = ["a thin seven", "a cat"]  # the second is filled up
    found = caption(ours, texts).log_prob(x)
    for i, one in enumerate(texts):
        tokens = torch.tensor([[1, *(WORDS.index(word) for word in one.split()), 2]])
        expected = -loss_of(network, x[i : i + 1], tokens) * (tokens.shape[1] - 1)
        assert found[i].item() == pytest.approx(expected.item(), rel=1e-4)
    assert abs(found[1] - caption(ours, "a cat").log_prob(x)[0]) > 1e-3  # the image matters


def test_words_of_a_prompt_are_given_and_not_counted(network, tokenizer, x):
    prompted = captioner(network, tokenizer, EIGHT, prompt="a wide")
    plain = captioner(network, tokenizer, EIGHT)
    whole = caption(plain, "a wide cat").log_prob(x)
    logits = plain(x, plain.tokens("a wide cat").expand(2, -1))
    said = logits[:, :2].log_softmax(2).gather(2, torch.tensor([[[4], [7]]]).expand(2, -1, -1)).sum((1, 2))
    assert torch.allclose(caption(prompted, "cat").log_prob(x), whole - said, atol=1e-4)


def test_the_gradient_reaches_the_image_alone(network, tokenizer, x):
    ours = captioner(network.double(), tokenizer, EIGHT)
    condition = caption(ours, ["a thin seven", "a cat"])
    x = x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 3e-3  # not less: some take their softmax in float32, whatever their weights are
    with torch.no_grad():
        near, far = (condition.log_prob(x + n * step * way) - condition.log_prob(x - n * step * way) for n in (1, 2))
    slope = (8 * near - far) / (12 * step)
    for i in range(2):
        assert ((gradient[i] * way[i]).sum() / slope[i]).item() == pytest.approx(1, rel=2e-3)
    assert all(p.requires_grad for p in network.parameters())
    assert all(p.grad is None for p in network.parameters())


def test_grey_images_are_repeated(network, tokenizer, x):
    ours, grey = captioner(network, tokenizer, EIGHT), x[:, :1]
    tokens = ours.tokens("a cat").expand(2, -1)
    assert torch.equal(ours.log_prob(grey, tokens), ours.log_prob(grey.expand(-1, 3, -1, -1), tokens))


def test_similarities_are_the_models_own_logits(tokenizer, x):
    network = woken(models.build(clip, 0))
    ours = image_text(network, tokenizer, EIGHT)
    texts = ["a thin seven", "a cat", "wide"]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = network(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=EIGHT(x)
        ).logits_per_image
    assert torch.allclose(ours(x, ours.embedded(texts)), expected, atol=1e-5)
    assert torch.allclose(text(ours, "a cat").log_prob(x), expected[:, 1], atol=1e-5)
    chosen = text(ours, ["a cat", "wide"], against=texts).log_prob(x)
    assert torch.allclose(chosen, expected.log_softmax(1)[[0, 1], [1, 2]], atol=1e-5)


def test_the_gradient_of_a_similarity_is_the_finite_difference(tokenizer, x):
    condition = text(image_text(woken(clip()).double(), tokenizer, EIGHT), "a cat", against=["wide"])
    x = x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        slope = (condition.log_prob(x + 3e-6 * way) - condition.log_prob(x - 3e-6 * way)).sum() / 6e-6
    assert ((gradient * way).sum() / slope).item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("kind", [captioner, image_text])
def test_from_a_folder(kind, tokenizer, x, tmp_path):
    network = models.build(MODELS["blip" if kind is captioner else "clip"], 0).eval()
    processor = transformers.ViTImageProcessor(size={"height": 8, "width": 8})
    for part in (network, tokenizer, processor):
        part.save_pretrained(tmp_path)
    named, given = kind(str(tmp_path)), kind(network, tokenizer, EIGHT)
    if kind is captioner:
        found, expected = (caption(one, "a cat").log_prob(x) for one in (named, given))
    else:
        found, expected = (text(one, "a cat").log_prob(x) for one in (named, given))
    assert torch.allclose(found, expected, atol=1e-5)
    assert not named.training


@pytest.mark.parametrize(
    "processor",
    [
        lambda: transformers.CLIPImageProcessor(size={"shortest_edge": 9}, crop_size={"height": 8, "width": 8}),
        lambda: transformers.ViTImageProcessor(size={"height": 8, "width": 6}),
        lambda: transformers.BlipImageProcessor(size={"height": 8, "width": 8}),
        lambda: transformers.ViTImageProcessor(do_resize=False, do_normalize=False),
    ],
)
def test_images_are_prepared_as_the_processor_does(processor, x):
    theirs = processor()
    expected = theirs(list(x), do_rescale=False, return_tensors="pt")["pixel_values"]
    assert torch.allclose(of_processor(theirs)(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_rescale": False}, "processor must rescale bytes by 1/255"),
        ({"rescale_factor": 1 / 127.5}, "processor must rescale bytes by 1/255, got 0.0078"),
        ({"size": {"longest_edge": 8}}, r"height and width or by the shortest edge, got \{'longest_edge': 8\}"),
        ({"resample": 1}, "must resample by one of nearest, bilinear, bicubic, got 1"),
    ],
)
def test_processors_that_do_something_else(settings, message):
    class Processor:
        def to_dict(self):
            return {"do_resize": True, "size": {"height": 8, "width": 8}, "do_rescale": True, **settings}

    with pytest.raises(ValueError, match=message):
        of_processor(Processor())


def test_errors(tokenizer, tmp_path, monkeypatch):
    network = models.build(blip, 0)
    ours = captioner(network, tokenizer, EIGHT)
    with pytest.raises(ValueError, match=r"words that the tokenizer knows, got 'thim'; the nearest are 'thin'"):
        caption(ours, "a thim cat")
    with pytest.raises(ValueError, match="caption must have a word, got an empty one"):
        caption(ours, " ")
    with pytest.raises(ValueError, match="tokenizer must be given for a model that is not loaded by name"):
        captioner(network)
    with pytest.raises(ValueError, match="processor must be given for a model"):
        image_text(clip(), tokenizer)
    with pytest.raises(TypeError, match="model must be one of transformers' or a name, got Linear"):
        captioner(nn.Linear(2, 2), tokenizer, EIGHT)
    with pytest.raises(TypeError, match="must take pixel_values and words, and give logits, got CLIPModel"):
        captioner(clip(), tokenizer, EIGHT)
    with pytest.raises(TypeError, match="model must make images and texts into vectors, as CLIPModel, got Git"):
        image_text(git(), tokenizer, EIGHT)
    with pytest.raises(ValueError, match="end must be given: the model and its tokenizer do not say what it is"):
        silent = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
        captioner(network, silent, EIGHT)
    config = network.config
    config.architectures = ["Oracle"]
    config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="must name an architecture of transformers', got 'Oracle'"):
        captioner(str(tmp_path))
    monkeypatch.setitem(sys.modules, "transformers", None)
    for kind in (captioner, image_text):
        with pytest.raises(ImportError, match=r"needs transformers: pip install 'ppgn\[transformers\]'"):
            kind(network, tokenizer, EIGHT)
