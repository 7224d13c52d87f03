"""What is documented is what is said: OpenAPI, docs/interfaces.md, asyncapi.yaml and the socket itself."""

import asyncio
import re
from fractions import Fraction
from pathlib import Path

import pytest

from centre.rows import Anchored
from centre.web import models
from centre.web.app import ASYNCAPI, STATEMENT, make_app
from centre.web.stream import QUEUE_LIMIT_UPDATES
from tests.system.page_caller import ask, socket
from tests.system.page_source import BOOT_UTC, EPOCH, Memory, Said, bed, run, stream
from wire import records

DOCUMENT = Path(__file__).parents[2] / "docs" / "interfaces.md"


def memory() -> Memory:
    source = Memory(bed())
    source.catalogue += [stream(0, "ecg.ii", "mV", Fraction(100)), stream(1, "spo2", "%")]
    return source


def openapi() -> dict:
    source = memory()
    return ask(make_app(source, source), "/openapi.json").json()


def scalar(text):
    if text.startswith("["):
        return [scalar(part.strip()) for part in text[1:-1].split(",")]
    if text.startswith("'"):
        return text[1:-1]
    return {"true": True, "false": False}.get(text, int(text) if text.isdecimal() else text)


def block(lines, indent):
    """The part of YAML that our file uses: maps by indentation, flow lists, quoted and folded text."""
    found = {}
    while lines and len(lines[0]) - len(lines[0].lstrip()) == indent:
        key, _, rest = lines.pop(0).strip().partition(":")
        rest = rest.strip()
        if rest == ">-":
            folded = []
            while lines and lines[0].startswith(" " * (indent + 2)):
                folded.append(lines.pop(0).strip())
            found[scalar(key)] = " ".join(folded)
        else:
            found[scalar(key)] = scalar(rest) if rest else block(lines, indent + 2)
    return found


def asyncapi() -> dict:
    lines = [line for line in ASYNCAPI.read_text(encoding="utf-8").splitlines() if line.strip()]
    document = block(lines, 0)
    assert not lines, f"not read: {lines[0]}"
    return document


DOCUMENTED = asyncapi()
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


def find(reference: str) -> dict:
    found = DOCUMENTED
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def complaints(value, schema, at="$"):
    """What `value` breaks of a JSON schema, by the words our file uses. Unknown words are an error."""
    if "$ref" in schema:
        return complaints(value, find(schema["$ref"]), at)
    known = {"type", "description", "properties", "required", "additionalProperties", "items"}
    assert set(schema) <= known | {"const", "enum", "minimum", "maxLength"}, f"{at}: {set(schema) - known}"
    said = []
    types = schema.get("type", list(TYPES))
    types = types if isinstance(types, list) else [types]
    if not any(type(value) is TYPES[t] for t in types):
        return [f"{at}: {value!r} is no {types}"]
    if "const" in schema and value != schema["const"]:
        said.append(f"{at}: {value!r} is not {schema['const']!r}")
    if value not in schema.get("enum", [value]):
        said.append(f"{at}: {value!r} not in {schema['enum']}")
    if type(value) is int and value < schema.get("minimum", value):
        said.append(f"{at}: {value} below {schema['minimum']}")
    if type(value) is str and len(value) > schema.get("maxLength", len(value)):
        said.append(f"{at}: {len(value)} characters")
    if type(value) is dict:
        said += [f"{at}: {name} is lacking" for name in schema["required"] if name not in value]
        said += [f"{at}: {name} is not described" for name in value if name not in schema["properties"]]
        for name in set(value) & set(schema["properties"]):
            said += complaints(value[name], schema["properties"][name], f"{at}.{name}")
    if type(value) is list:
        said += [line for i, item in enumerate(value) for line in complaints(item, schema["items"], f"{at}[{i}]")]
    return said


async def everything_said() -> list[dict]:
    """Objects of every kind, from the socket."""
    source = memory()
    async with socket(make_app(source, source, now=lambda: BOOT_UTC), "gw-a1", room=1) as reader:
        found = [await reader.next("presence")]
        hostile = "<b>\u202e" + "x" * 5000
        source.say(
            Said(
                "gw-a1",
                [
                    records.NumericAt(1, 1, None, hostile),
                    records.NumericAt(1, 1, 97),
                    records.AlarmAt(1, 0, hostile, hostile, hostile, hostile, hostile),
                    records.StatusAt(1, 0, "probe", "on"),
                    records.SessionAt(1, 0, "closed", "unplugged"),
                    records.StreamGap(1, 0, 5, None, hostile),
                    records.StreamGap(1, 0, 5, 5, "power"),
                    records.Catalogue(1, 0, "d", "crc", "p", "m", "m", "s", "f", []),
                ],
                [run(0, 0, [1, -5, 2**31 - 1], 1, records.MarkAt(0, 0, hostile, 3))],
            )
        )
        found.append(await reader.next("update"))
        source.anchored["gw-a1"].append(Anchored(EPOCH, 0, BOOT_UTC, 5, "ntp"))
        for number in range(QUEUE_LIMIT_UPDATES + 9):
            source.say(
                Said("gw-a1", [records.Anchor(1, BOOT_UTC, 5, "ntp"), records.NumericAt(number, 1, 1)], live=False)
            )
        return [*found, await reader.next("dropped"), await reader.next("update")]


def test_what_the_socket_says_is_what_asyncapi_describes():
    said = asyncio.run(everything_said())
    assert [one["kind"] for one in said] == ["presence", "update", "dropped", "update"]
    assert all(said[1][part] for part in ("waves", "numerics", "notices", "holes", "catalogue"))
    for one in said:
        assert complaints(one, DOCUMENTED["components"]["schemas"][one["kind"]]) == []


def test_a_wrong_shape_would_be_seen():
    schema = DOCUMENTED["components"]["schemas"]["dropped"]
    assert complaints({"kind": "dropped", "now": "1", "updates": 0, "more": 1}, schema) != []
    assert len(complaints({"kind": "update", "now": "1", "updates": 0, "more": 1}, schema)) == 4
    assert complaints({}, schema) == [f"$: {name} is lacking" for name in ("kind", "now", "updates")]


def test_asyncapi_describes_every_kind_and_nothing_else():
    kinds = {
        model.model_fields["kind"].default for model in (models.UpdateSaid, models.PresenceSaid, models.DroppedSaid)
    }
    assert DOCUMENTED["asyncapi"] == "3.0.0"
    assert set(DOCUMENTED["components"]["messages"]) == set(DOCUMENTED["channels"]["live"]["messages"]) == kinds
    for reference in re.findall(r"'(#/[^']+)'", ASYNCAPI.read_text(encoding="utf-8")):
        assert find(reference)


@pytest.mark.parametrize("model", [models.UpdateSaid, models.PresenceSaid, models.DroppedSaid])
def test_asyncapi_names_the_fields_of_the_types(model):
    schema = DOCUMENTED["components"]["schemas"][model.model_fields["kind"].default]
    assert set(schema["properties"]) == set(schema["required"]) == set(model.model_fields)


def test_openapi_paths_are_the_table_of_the_document():
    rows = re.findall(r"^\| `(/[^`]*)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(openapi()["paths"])


def test_every_field_and_parameter_of_openapi_is_described():
    document = openapi()
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, facts in schema.get("properties", {}).items():
            assert facts.get("description"), f"{name}.{field}"
    for path, methods in document["paths"].items():
        assert set(methods) == {"get"}
        assert methods["get"]["summary"]
        assert methods["get"]["description"]
        for parameter in methods["get"].get("parameters", []):
            assert parameter.get("description"), f"{path} {parameter['name']}"


def test_every_error_of_openapi_is_a_problem():
    document = openapi()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for status, answer in methods["get"]["responses"].items():
            [content] = answer["content"].values()
            if status != "200":
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, path
            elif path != "/metrics" and not path.endswith(".pdf"):
                assert content["schema"]["$ref"].startswith("#/components/schemas/")


def test_all_documents_carry_the_statement():
    texts = [openapi()["info"]["description"], DOCUMENTED["info"]["description"]]
    texts.append(" ".join(DOCUMENT.read_text(encoding="utf-8").split()))
    assert all(STATEMENT in text for text in texts)
