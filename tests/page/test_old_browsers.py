"""Nothing in the page needs a browser newer than Chrome 69: its script is ECMAScript 5, its style that of 2018.

`npm ci --ignore-scripts` in tests/page/tools brings acorn (parses the script), postcss (the style) and MDN's table of
which browser knows what; without them the list of properties below stands for the table.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.page import words

STATIC = words.FOLDER.parent / "static"
TEMPLATES = words.FOLDER.parent / "templates"
TOOLS = Path(__file__).parent / "tools"
CHROME = 69
HAS_TOOLS = (TOOLS / "node_modules" / "acorn").is_dir() and shutil.which("node") is not None
tools = pytest.mark.skipif(not HAS_TOOLS, reason="npm ci --ignore-scripts in tests/page/tools")
# What MDN's table gives for Chrome 69 or older, for machines without it.
KNOWN = """
    align-items animation background border border-bottom border-color border-radius box-sizing clip color cursor
    display fill flex flex-basis flex-wrap font font-display font-family font-size font-style font-weight height
    justify-content line-height list-style margin margin-top max-width min-height min-width outline outline-color
    outline-offset overflow overflow-wrap padding position src stroke stroke-linecap stroke-linejoin stroke-width
    text-align text-decoration unicode-range visibility white-space width
"""
# A browser that does not know these leaves them away, and the page is whole.
MISSED = {"prefers-color-scheme"}
_SCRIPT = """
const acorn = require('acorn'); const fs = require('fs');
acorn.parse(fs.readFileSync(process.argv[1], 'utf8'), {ecmaVersion: 5});
"""
_STYLE = """
const postcss = require('postcss'); const css = require('@mdn/browser-compat-data').css; const fs = require('fs');
const wrong = [];
const first = (entry) => Math.min(...[].concat(entry.__compat.support.chrome)
  .filter((one) => !one.flags && !one.prefix).map((one) => parseFloat(one.version_added)));
const check = (entry, name) => {
  if (!entry || !entry.__compat) { wrong.push('not in the table: ' + name); return; }
  if (!(first(entry) <= Number(process.argv[2]))) { wrong.push(name + ': Chrome ' + first(entry)); }
};
postcss.parse(fs.readFileSync(process.argv[1], 'utf8')).walk((node) => {
  if (node.type === 'decl') {
    const face = node.parent.type === 'atrule' && node.parent.name === 'font-face';
    check(face ? css['at-rules']['font-face'][node.prop] : css.properties[node.prop], node.prop);
    for (const found of node.value.matchAll(/([a-z-]+)\\(/g)) {
      if (['url', 'format', 'rect'].includes(found[1])) continue;
      check(css.types[found[1]] || css.types[found[1] + '_function'], found[1] + '()');
    }
  } else if (node.type === 'atrule') {
    check(css['at-rules'][node.name], '@' + node.name);
    for (const found of node.name === 'media' ? node.params.matchAll(/\\(([a-z-]+)/g) : []) {
      if (!process.argv[3].split(',').includes(found[1])) check(css['at-rules'].media[found[1]], found[1]);
    }
  } else if (node.type === 'rule') {
    for (const found of node.selector.matchAll(/:([a-z-]+)/g)) check(css.selectors[found[1]], ':' + found[1]);
  }
});
console.log(JSON.stringify(wrong));
"""


def node(script: str, *arguments: str) -> str:
    done = subprocess.run(["node", "-e", script, *arguments], cwd=TOOLS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def styles() -> list[Path]:
    return sorted(STATIC.glob("*.css"))


@tools
def test_the_script_is_ecmascript_5(tmp_path: Path) -> None:
    node(_SCRIPT, str(STATIC / "page.js"))
    newer = tmp_path / "newer.js"
    newer.write_text("const one = () => 1;")
    with pytest.raises(AssertionError, match="SyntaxError"):
        node(_SCRIPT, str(newer))


@tools
@pytest.mark.parametrize("file", styles(), ids=lambda file: file.name)
def test_the_style_is_in_the_table(file: Path) -> None:
    assert json.loads(node(_STYLE, str(file), str(CHROME), ",".join(MISSED))) == []


@tools
def test_the_table_knows_what_is_newer(tmp_path: Path) -> None:
    newer = tmp_path / "newer.css"
    newer.write_text("a:focus-visible { inset: 0; width: clamp(1px, 2px, 3px); } @layer x {}")
    wrong = json.loads(node(_STYLE, str(newer), str(CHROME), ""))
    assert wrong == [":focus-visible: Chrome 86", "inset: Chrome 87", "clamp(): Chrome 79", "@layer: Chrome 99"]


@pytest.mark.parametrize("file", styles(), ids=lambda file: file.name)
def test_the_style_uses_what_was_looked_up(file: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    assert set(re.findall(r"^\s+([a-z-]+):\s", text, re.MULTILINE)) <= set(KNOWN.split())
    assert not re.search(
        r"var\(|min\(|max\(|clamp\(|:is\(|:where\(|:has\(|focus-visible|[^-]gap:|inset|aspect-ratio", text
    )
    assert not re.search(r"url\(\"?(?!\"?[a-z-]+\.woff2)", text)


def test_the_script_has_no_newer_words() -> None:
    text = re.sub(r"//.*", "", (STATIC / "page.js").read_text("utf-8"))
    assert not re.search(r"=>|\b(let|const|class|async|await|import)\b|`|\?\.|\bfetch\(|innerHTML\s*=[^=]|eval\(", text)


def test_the_templates_have_no_script_or_style_of_their_own() -> None:
    for file in TEMPLATES.glob("*.html"):
        text = file.read_text("utf-8")
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=", text), file.name
        assert text.count("|safe ") + text.count("|safe}") == (1 if file.name == "icons.html" else 0)
