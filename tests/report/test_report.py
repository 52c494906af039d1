from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ppgn
from ppgn import report
from ppgn.report import packed, page, sha256, tag

ROOT = Path(ppgn.__file__).parent
EVIL = ["</script><script>alert(1)</script>", "<!--<script>", "<img src=x onerror=alert(1)>", "a & b", "“ü”\u2028"]


class Reader(HTMLParser):
    """Elements in order, and the text of each script by its id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._id = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._id = dict(attrs).get("id", "own") if tag == "script" else None

    def handle_data(self, data):
        if self._id is not None:
            self.scripts[self._id] = self.scripts.get(self._id, "") + data

    def handle_endtag(self, tag):
        self._id = None


def noisy(path, seed, size=(64, 64), strength=40.0):
    pixels = np.random.default_rng(seed).normal(128, strength, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def opened(uri):
    head, content = uri.split(",", 1)
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_elements_are_escaped_but_where_they_are_markup_already():
    inside = [tag("b", '<i>"&')]
    assert tag("td", "a<b ", inside, class_="x", data_value='1"2', title=None) == (
        '<td class="x" data-value="1&quot;2">a&lt;b <b>&lt;i&gt;"&amp;</b></td>'
    )
    assert tag("br") == "<br>"


def test_data_cannot_end_its_script_and_comes_back_as_it_was():
    content = {text: [text, {"deep": text}] for text in EVIL}
    text = page(EVIL[0], [tag("p", *EVIL)], content=content, pictures={"a": "data:,"})
    found = Reader(text)
    assert json.loads(found.scripts["content"]) == content
    assert json.loads(found.scripts["pictures"]) == {"a": "data:,"}
    assert found.tags.count("script") == 3
    assert found.tags.count("img") == 0
    assert "<!--" not in text


def test_numbers_that_json_has_not_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        page("t", [], content={"a": float("nan")})


def test_a_script_that_would_end_itself_is_refused(tmp_path):
    bad = tmp_path / "bad.js"
    bad.write_text('const a = "</script>";')
    with pytest.raises(ValueError, match="must not have '</script' in it"):
        page("t", [], scripts=[bad])


def test_the_page_allows_what_is_in_it_and_nothing_else():
    text = page("t", [])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert set(re.findall(r"https?://[^\"']*", text)) == {"http://www.w3.org/2000/svg"}
    assert page("t", []) == text


def test_equal_pictures_are_kept_once(tmp_path):
    paths = [noisy(tmp_path / f"{i}.png", seed) for i, seed in enumerate((1, 1, 2))]
    found = packed(paths, 10**6)
    assert set(found.uris) == {sha256(paths[0]), sha256(paths[2])}
    assert found.sizes[sha256(paths[2])] == (64, 64)
    assert opened(found.uris[sha256(paths[2])]).size == (64, 64)


def test_quality_falls_until_the_limit_is_met(tmp_path):
    paths = [noisy(tmp_path / f"{i}.png", i, (200, 200)) for i in range(3)]
    best = packed(paths, 10**7)
    assert best.quality == 90
    size = sum(len(uri) for uri in best.uris.values())
    less = packed(paths, size // 2)
    assert 25 <= less.quality < 90
    assert sum(len(uri) for uri in less.uris.values()) <= size // 2
    assert packed(paths, 1000) is None
    assert packed([], 0).uris == {}


def test_a_picture_that_is_smaller_without_loss_has_none(tmp_path):
    pixels = np.zeros((56, 56, 3), np.uint8)
    pixels[::7, :, 1] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (uri,) = packed([tmp_path / "a.png"], 10**6).uris.values()
    assert (np.asarray(opened(uri).convert("RGB")) == pixels).all()


def test_a_loss_is_no_other_picture(tmp_path):
    path = noisy(tmp_path / "a.png", 0, (120, 80))
    (uri,) = packed([path], 10**6).uris.values()
    seen, was = (np.asarray(image.convert("L"), float) for image in (opened(uri), Image.open(path)))
    assert np.corrcoef(seen.ravel(), was.ravel())[0, 1] > 0.95


def test_what_is_no_picture_does_not_fit(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (16384, 1)).save(tmp_path / "long.png")
    Image.new("L", (16383, 1)).save(tmp_path / "short.png")
    found = [report.fits(tmp_path / f"{name}.png") for name in ("none", "text", "long", "short")]
    assert found == [False, False, False, True]


def test_sides_longer_than_webp_has_are_refused(tmp_path):
    Image.new("L", (1, 16384)).save(tmp_path / "long.png")
    with pytest.raises(ValueError, match=r"sides must be at most 16383 pixels, got \(1, 16384\)"):
        packed([tmp_path / "long.png"], 10**6)


@pytest.mark.parametrize(
    "path",
    [
        *(p for p in (ROOT / "report").iterdir() if p.suffix in (".js", ".css", ".html")),
        *(ROOT / "ablation" / "page" / "assets").iterdir(),
    ],
)
def test_scripts_and_styles_are_short_and_take_nothing_for_markup(path):
    text = path.read_text()
    assert len(text.splitlines()) < 300
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://(?!www.w3)", text
    )
