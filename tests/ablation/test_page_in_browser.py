"""The report as a person has it before them: in a headless Chromium, pressed, sorted, and read."""

from __future__ import annotations

import json

import pytest
from ablation_folder import epsilons, results_folder
from browser import CONTRAST, WIDE, found

from ppgn.ablation import page

EVIL = "<img src=x onerror=console.error(1)>"
ROWS = "[...document.querySelectorAll('#means tbody tr')]"
HEAD = "[...document.querySelectorAll('#means thead th')].find((head) => head.textContent === %s)"

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium is installed")

# How many frames of the film are seen in 0.7 seconds.
SEEN = """new Promise((done) => {
  const seen = new Set();
  const look = () => seen.add(document.querySelector(".stage").style.backgroundPosition);
  const looking = setInterval(look, 20);
  setTimeout(() => { clearInterval(looking); done(seen.size); }, 700);
})"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the report's path, rows): a grid, other variants, one of them named as markup, a cell that failed."""
    folder = tmp_path_factory.mktemp("browser") / "out"
    settings = [*epsilons((0.0, 0.187, 1.87), (0.0, 5.25)), {"model": "mnist", "steps": 200, "variant": EVIL}]
    rows = results_folder(folder, settings, seeds=2, n=3, noise=5)
    return page.write(folder / "report.html", folder), rows


@pytest.fixture
def tab(chromium, made):
    """The browser with the report open; whatever a test does, nothing may be complained of or asked of a network."""
    chromium.forget()
    chromium.look()
    chromium.open(made[0])
    yield chromium
    assert chromium.errors == []
    assert set(url.partition("#")[0] for url in chromium.asked) <= {made[0].resolve().as_uri(), "about:blank"}


def column(tab, title):
    place = tab.run(f"[...document.querySelectorAll('#means thead th')].indexOf({HEAD % json.dumps(title)})")
    return tab.run(f"{ROWS}.map((row) => row.cells[{place}].textContent)"), place


def setting_row(settings, rows):
    return [row for row in rows if row["settings"] == settings]


def test_all_that_there_is_to_see_is_there(tab, made):
    _, rows = made
    assert tab.run(f"{ROWS}.length") == len({json.dumps(row["settings"]) for row in rows}) == 13
    assert tab.run("document.querySelector('h1').textContent") == "What the noise of the walk does"
    assert tab.run("[...document.querySelectorAll('.facts dd')].map((e) => e.textContent)") == [
        "26", "13", "2", "3", "200", "1"
    ]  # fmt: skip
    assert tab.run("document.querySelectorAll('#curves svg.plot').length") == 12  # two numbers, six figures
    assert tab.run("document.querySelectorAll('.heat').length") == 6
    assert tab.run("document.querySelectorAll('.card i[style*=url]').length") == 4
    tiles = tab.run("[...document.querySelectorAll('.heat')[0].querySelectorAll('tbody td')].map((e) => e.textContent)")
    grid = [(c, n) for c in (5.25, 0.0) for n in (0.0, 0.187, 1.87)]
    for text, (pull, noise) in zip(tiles, grid, strict=True):
        own = [row["figures"]["judge"] for row in rows
               if row["settings"].get("eps_condition") == pull and row["settings"].get("eps_noise") == noise
               and row["error"] is None]  # fmt: skip
        assert text == f"{sum(own) / len(own):.3f}"


def test_names_that_look_like_markup_are_shown(tab):
    assert EVIL in column(tab, "variant")[0]
    assert tab.run("document.querySelectorAll('img:not([src^=data])').length") == 0


def test_heads_sort_both_ways_and_what_is_none_stays_last(tab):
    assert column(tab, "R-hat")[0].count("-") == 1
    for press, way in ((True, "descending"), (True, "ascending")):
        place = column(tab, "R-hat")[1] + 1
        tab.point(f"#means thead th:nth-child({place}) button", press)
        shown, _ = column(tab, "R-hat")
        numbers = [float(text.split(" ")[0]) for text in shown[:-1]]
        assert shown[-1] == "-"
        assert numbers == sorted(numbers, reverse=way == "descending")
        assert len(set(numbers)) > 3
        assert tab.run(f"document.querySelector('#means thead th:nth-child({place})').getAttribute('aria-sort')") == way
    tab.run(f"({HEAD % json.dumps('variant')}).querySelector('button').focus()")
    tab.press("Enter")
    shown, _ = column(tab, "variant")
    assert shown == sorted(shown)
    assert tab.run("document.querySelectorAll('[aria-sort]').length") == 1
    assert tab.run("document.querySelector('#means thead tr.floor th').textContent") == "real images"


def test_rows_are_filtered_by_words(tab):
    left = "document.querySelector('.filter input').value = 'Joint 0.001';"
    tab.run(left + "document.querySelector('.filter input').dispatchEvent(new Event('input'))")
    assert tab.run(f"{ROWS}.filter((row) => row.checkVisibility()).length") == 1
    assert tab.run("document.querySelector('.filter .note').textContent") == "1 of 13"


def test_a_press_opens_the_cell_and_escape_closes_it(tab, made):
    _, rows = made
    settings = {"model": "mnist", "steps": 200, "variant": "ppgn-h", "eps_condition": 5.25, "eps_noise": 1.87}
    first, second = setting_row(settings, rows)
    link = f"#means a[href='#{first['id']}']"
    tab.run(f"document.querySelector({json.dumps(link)}).focus()")
    tab.press("Enter")
    assert tab.run("document.querySelector('dialog').open")
    assert tab.run("location.hash") == f"#{first['id']}"
    content = "JSON.parse(document.getElementById('content').textContent)"
    kept = "JSON.parse(document.getElementById('pictures').textContent)"
    own = f"{content}.cells.find((cell) => cell.id === '{first['id']}')"
    assert tab.run(f"document.querySelector('dialog .labelled img').src === {kept}[{own}.picture]")
    assert tab.run(f"document.querySelector('dialog .stage').style.backgroundImage.includes({kept}[{own}.walk])")
    assert tab.run("[...document.querySelectorAll('dialog .labelled li')].map((e) => e.textContent)") == [
        str(label) for label in range(10)
    ]
    assert tab.run("document.querySelector('dialog .command').textContent") == first["command"]
    text = tab.run("document.querySelector('dialog').textContent")
    for part in (
        "mala_approx, not exact",
        "abab",
        "torch",
        "cpu, 1 thread",
        f"{first['figures']['judge']:.3f}",
        "0.990",
    ):
        assert part in text
    tab.point("dialog .copy", press=True)
    assert tab.run("getSelection().toString()") == first["command"]
    tab.point("dialog [role=tab]:nth-child(2)", press=True)
    assert tab.run("location.hash") == f"#{second['id']}"
    assert tab.run("document.querySelector('dialog .command').textContent") == second["command"]
    tab.press("Escape")
    assert not tab.run("document.querySelector('dialog').open")
    assert tab.run("location.hash") == ""
    assert tab.run(f"document.activeElement === document.querySelector({json.dumps(link)})")


def test_marks_tiles_and_cards_show_pictures_and_open_cells(tab):
    for selector in ("#curves .hit", "#glance .hit", ".heat td[data-setting] a", ".card p:not(.note)"):
        tab.point(selector)
        assert tab.run("document.querySelector('.peek').checkVisibility()"), selector
        label = tab.run("document.querySelector('.peek strong').textContent")
        tab.point(selector, press=True)
        assert tab.run("document.querySelector('dialog h2').firstChild.textContent") == label
        assert not tab.run("document.querySelector('.peek').checkVisibility()")
        tab.press("Escape")


def test_an_address_opens_its_cell_failed_or_not(chromium, tab, made):
    path, rows = made
    failed = next(row for row in rows if row["error"])
    lone = next(row for row in rows if row["settings"]["variant"] == EVIL)
    chromium.open(path, failed["id"])
    assert "This cell failed: RuntimeError: the walk left the range" in tab.run(
        "document.querySelector('dialog').textContent"
    )
    tab.run(f"location.hash = '{lone['id']}'; new Promise((done) => setTimeout(done, 50))")
    assert tab.run("document.querySelector('dialog h2').firstChild.textContent") == EVIL
    seen = [tab.run("location.hash")]
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowRight"):
        tab.press(key)
        seen.append(tab.run("location.hash"))
    assert len(set(seen)) == 3
    assert seen == seen[::-1]


def test_the_walk_moves_unless_less_motion_is_asked_for(tab, made):
    path, rows = made
    name = next(row["id"] for row in rows if row["settings"]["variant"] == "joint")
    tab.open(path, name)
    assert tab.run(SEEN) == 1
    tab.look(motion="no-preference")
    tab.open(path, name)
    assert tab.run(SEEN) >= 3
    tab.run("(() => { const slider = document.querySelector('.film input'); slider.value = 5;"
            " slider.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert tab.run(SEEN) == 1
    assert tab.run("document.querySelector('.stage').dataset.frame") == "5"
    assert tab.run("document.querySelector('.film button').textContent") == "Play"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_read_well(tab, made, scheme):
    path, rows = made
    tab.look(scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    background = tab.run("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(253, 252, 250)", "dark": "rgb(21, 24, 27)"}[scheme]
    for fragment in ("", rows[0]["id"], next(row["id"] for row in rows if row["error"])):
        if fragment:
            tab.open(path, fragment)
        found = tab.run(CONTRAST)
        assert len(found) > 100
        assert found[0][0] >= 4.5, found[:5]


def test_on_a_phone_nothing_but_the_table_is_wider_than_the_screen(tab, made):
    path, rows = made
    for fragment in ("", rows[0]["id"]):
        tab.look(360, 740)
        tab.open(path, fragment)
        assert tab.run("innerWidth") == 360
        assert tab.run("document.documentElement.scrollWidth") == 360
        assert tab.run(WIDE) == []
    assert tab.run("document.querySelector('.scroll').scrollWidth > 600")


def test_the_print_has_the_whole_table_and_no_controls(tab):
    tab.look(scheme="dark")
    tab.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.body).color") == "rgb(28, 33, 38)"
    assert tab.run("[...document.querySelectorAll('.chips, select, .filter')].filter((e) => e.checkVisibility())") == []
    assert tab.run("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    tab.look(680, 1000)  # an A4 sheet within its margins
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run("document.querySelector('#means').getBoundingClientRect().right") <= 680
    assert tab.run("document.documentElement.scrollWidth") == 680
    tab.call("Emulation.setEmulatedMedia", media="")
