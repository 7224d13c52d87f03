"""The files of the pages, read as text: offline, inert, quiet, readable. And the sample memory, run by node."""

import json
import re
import shutil
import subprocess

import pytest

from centre.web.app import STATEMENT, STATIC

FILES = sorted(path for path in STATIC.iterdir() if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
PAGES = [path for path in FILES if path.suffix == ".html"]
STYLES = [path for path in FILES if path.suffix == ".css"]
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in FILES}


def names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize("name", names(FILES))
def test_files_are_short_and_name_no_other_server(name):
    text = SOURCES[name]
    assert text.count("\n") <= 300
    foreign = re.findall(r"(?:https?:|wss?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
    assert set(foreign) <= {"http://www.w3.org"}, foreign


@pytest.mark.parametrize("name", names(SCRIPTS))
def test_scripts_only_ever_show_text_as_text(name):
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc"
    assert re.findall(banned, SOURCES[name]) == []
    assert re.findall(r"setAttribute\(\"(?:on|style|href|src)", SOURCES[name]) == []


@pytest.mark.parametrize("name", names(SCRIPTS))
def test_nothing_sounds_or_flashes(name):
    assert re.findall(r"Audio|beep|oscillator|vibrate|Notification|blink", SOURCES[name], re.IGNORECASE) == []


@pytest.mark.parametrize("name", names(STYLES))
def test_nothing_moves_but_waves(name):
    assert re.findall(r"@keyframes|animation|transition|@import|url\(", SOURCES[name]) == []


@pytest.mark.parametrize("name", names(PAGES))
def test_pages_have_nothing_inline_and_carry_the_statement(name):
    text = SOURCES[name]
    assert re.findall(r"<style|style=|\son[a-z]+=|javascript:", text) == []
    assert re.findall(r"<script(?![^>]* src=)", text) == []
    assert re.search(r"<footer>(.*?)</footer>", text, re.DOTALL)[1].strip() == f"<p>{STATEMENT}</p>"
    assert 'lang="en"' in text
    assert text.count("<h1") == 1


def test_every_file_a_page_needs_is_there():
    for page in PAGES:
        for path in re.findall(r'(?:src|href)="/static/([^"]+)"', SOURCES[page.name]):
            assert path in SOURCES
    for script in SCRIPTS:
        for path in re.findall(r'from "\./([^"]+)"', SOURCES[script.name]):
            assert path in SOURCES


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PAIRS = [
    *((ink, back) for ink in ("text", "soft", "accent", "bad", "watch", "idle") for back in ("sheet", "paper")),
    *((ink, f"{ink}-back") for ink in ("good", "watch", "bad", "idle")),
    ("text", "idle-back"),
    ("soft", "idle-back"),
    ("watch", "idle-back"),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "back"), PAIRS)
def test_contrast_of_text_is_enough(scheme, ink, back):
    blocks = re.findall(r":root \{(.*?)\}", SOURCES["page.css"], re.DOTALL)[:2]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[scheme]))
    assert contrast(colours[ink], colours[back]) >= 4.5


TRACK = """
import { Track } from "./track.js";
const stream = { rate: [100, 1], gain: [1, 2], offset: [10, 1] };
const run = (first, count, t) => ({ first, t, marks: [], samples: Array.from({ length: count }, (_, i) => first + i) });
const told = (parts) => parts.map((p) => [p.first, p.last === Infinity ? -1 : p.last, p.cause ?? ""]);
const track = new Track(stream);
track.add(run(100, 100, 2_000_000));
track.add(run(300, 100, 4_020_000));
const before = told(track.cover(100, 450));
track.declare({ first: 200, last: 300, cause: "parse" });
const declared = told(track.cover(100, 400));
track.add(run(150, 100, 9_000_000));
const late = told(track.cover(100, 400));
const again = track.add(run(150, 100, 9_000_000));
const values = Array.from(track.runs[0].values.slice(0, 2));
track.add(run(20_000, 100, 201_040_000));
console.log(JSON.stringify({ before, declared, late, again, values, origin: track.origin, kept: track.runs.length }));
"""


def test_the_sample_memory_bridges_nothing():
    assert shutil.which("node"), "node is missing: apt-get install nodejs"
    done = subprocess.run(
        ["node", "--input-type=module", "-"],
        input=TRACK.replace("./track.js", (STATIC / "track.js").as_uri()),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["before"] == [[100, 200, ""], [200, 300, "not-received"], [300, 400, ""], [400, -1, "waiting"]]
    assert said["declared"] == [[100, 200, ""], [200, 300, "parse"], [300, 400, ""]]
    assert said["late"] == [[100, 200, ""], [200, 250, ""], [250, 300, "parse"], [300, 400, ""]]
    assert said["again"] is None  # the same samples once more change nothing
    assert said["values"] == [45, 45.5]  # (100 - 10) / 2
    assert said["origin"] == 10_000  # the earliest arrival dates the samples
    assert said["kept"] == 1  # two minutes are kept
