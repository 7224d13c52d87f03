"""Makes the page's fonts from Debian's Noto: `python -m tests.page.fonts` writes agent/page/static/*.woff2.

Latin, Cyrillic, Georgian and Arabic are whole, for names; of Han there is what the page itself says and no more: names
in Han are shown by the browser's own font. Needs fonttools and brotli (PyPI), fonts-noto-core and fonts-noto-cjk
(Debian). Noto: SIL Open Font License 1.1 (NOTICE).
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.page import words

STATIC = Path(words.__file__).parent / "static"
NOTO = Path("/usr/share/fonts/truetype/noto")
CJK = Path("/usr/share/fonts/opentype/noto")
LATIN = "U+0020-007E,U+00A0-017F,U+0218-021B,U+0300-0304,U+2010-2026,U+2030,U+20AC,U+2116,U+2400-241F"
CYRILLIC = "U+0400-045F,U+0490-04FF"
GEORGIAN = "U+10D0-10FF"
ARABIC = "U+0600-06FF,U+200C-200D"
FEATURES = "--layout-features=kern,liga,rlig,calt,init,medi,fina,isol,mark,mkmk,ccmp,locl,curs"
SC = 2  # Simplified Chinese within the collection


def han() -> set[str]:
    """The characters of our own Chinese text."""
    own = words.load()[0]["zh-Hans"]
    texts = [own.autonym, *own.text.values(), *(one.text for one in own.safety.values())]
    texts += [text for forms in own.plural.values() for text in forms.values()]
    return {one for text in texts for one in text if ord(one) > 0x2E7F}


def autonyms() -> set[str]:
    """What the row of languages is written in, so that it needs none of the large fonts."""
    return {one for own in words.load()[0].values() for one in own.autonym if ord(one) > 0x52F}


def numbers(letters: set[str]) -> str:
    return ",".join(f"U+{ord(one):04X}" for one in sorted(letters))


def jobs() -> list[tuple[str, Path, str, list[str]]]:
    """(name, source, unicodes, more options)."""
    made: list[tuple[str, Path, str, list[str]]] = []
    for weight in ("Regular", "Bold"):
        end = weight.lower()
        made += [
            (f"latin-{end}", NOTO / f"NotoSans-{weight}.ttf", LATIN, []),
            (f"cyrillic-{end}", NOTO / f"NotoSans-{weight}.ttf", CYRILLIC, []),
            (f"georgian-{end}", NOTO / f"NotoSansGeorgian-{weight}.ttf", GEORGIAN, []),
        ]
    han_options = [f"--font-number={SC}"]
    made.append(("arabic", NOTO / "NotoSansArabic-Regular.ttf", ARABIC, []))
    made.append(("han", CJK / "NotoSansCJK-Regular.ttc", numbers(han()), han_options))
    han_names = {one for one in autonyms() if ord(one) > 0x2E7F}
    arabic_names = {one for one in autonyms() if 0x600 <= ord(one) < 0x700}
    made.append(("name-han", CJK / "NotoSansCJK-Regular.ttc", numbers(han_names), han_options))
    made.append(("name-arabic", NOTO / "NotoSansArabic-Regular.ttf", numbers(arabic_names), []))
    return made


def main() -> int:
    from fontTools import subset

    for name, source, unicodes, more in jobs():
        target = STATIC / f"{name}.woff2"
        options = ["--flavor=woff2", "--no-hinting", "--name-IDs=0,13,14", FEATURES, f"--output-file={target}"]
        subset.main([str(source), f"--unicodes={unicodes}", *options, *more])
        sys.stdout.write(f"{target.name} {target.stat().st_size}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
