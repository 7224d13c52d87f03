"""The results as a table of Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- table: python -m bench.torture -->", "<!-- end of table -->"


def words(cell: dict[str, Any]) -> str:
    """A cell in short: what was lost of what was accepted, then whatever is not nothing."""
    if not cell["starts"]:
        return str(cell["note"])
    silent = cell["lost"] - cell["told"]
    said = [f"lost {cell['lost']} of {cell['accepted']}" if cell["lost"] else f"0 of {cell['accepted']}"]
    if cell["told"]:
        said.append("all of them declared" if not silent else f"{cell['told']} of them declared")
    if cell["not_taken"]:
        said.append(f"{cell['not_taken']} not taken")
    if cell["doubled"]:
        said.append(f"{cell['doubled']} doubled")
    if cell["altered"]:
        said.append(f"**{cell['altered']} altered**")
    if cell["refused"]:
        said.append(f"did not start {cell['refused']} of {cell['starts']}")
    said.append(f"{cell['recover_s']:.1f} s" if cell["recover_s"] is not None else "did not recover")
    return ", ".join(said) + (f" ({cell['note']})" if cell["note"] else "")


def of(results: dict[str, Any]) -> str:
    """Rows: tortures; columns: contestants."""
    names = list(results["versions"])
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines.append("| version | " + " | ".join(results["versions"].values()) + " |")
    for torture, row in results["rows"].items():
        cells = [words(row[name]) if name in row else _absent(results, name) for name in names]
        lines.append(f"| {torture} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(f"Seed {results['seed']}, {results['seconds']} s in all.")
    return "\n".join(lines)


def _absent(results: dict[str, Any], name: str) -> str:
    if results["versions"][name].startswith("-"):
        return "not installed here"
    return f"not on this machine: {results['blocked']}"


def into(readme: Path, text: str) -> None:
    """Replace what stands between the markers."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
