"""Bring a running mosquitto to what the fleet says, and touch nobody whose rights are right already.

The plugin disconnects whomever a change concerns, so a change is made only where there is a difference. Who is to go
goes first. Source: the plugin's API at `$CONTROL/dynamic-security/v1`, mosquitto 2.0.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from centre.fleet.broker import ADMIN, ANSWERS, CONTROL, Json, Site, people

ANSWER_LIMIT_S = 20.0
PAGE_LIMIT_COUNT = 100


class BrokerError(Exception):
    """The broker cannot be reached or will not do it; says why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Held:
    """What the broker knows: clients and roles by name, as `people` gives them."""

    clients: dict[str, Json]
    roles: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Line:
    """How to reach the broker as its admin."""

    host: str
    port: int
    authority: Path
    certificate: Path
    key: Path


def changes(held: Held, sites: Iterable[Site], admin: str = ADMIN) -> list[Json]:
    """Commands of the plugin, in order; none where all is as it should be. The admin's own entry is left alone.

    Whoever is given something is modified once more, which disconnects him: what he asked for before, and was refused,
    he asks for again only when he comes again.
    """
    clients, roles = people(sites, admin)
    wanted = [name for name in clients if name != admin]
    gone = sorted(held.clients.keys() - clients.keys())
    commands: list[Json] = [{"command": "deleteClient", "username": name} for name in gone]
    for name in wanted:
        if name not in held.roles:
            commands.append({"command": "createRole"} | roles[name])
        elif _rights(held.roles[name]) != _rights(roles[name]):
            commands.append({"command": "modifyRole"} | roles[name])
    touched = {command["rolename"] for command in commands if "rolename" in command}
    for name in wanted:
        known = held.clients.get(name)
        if known is None:
            commands.append({"command": "createClient"} | clients[name])
        if name in touched or known is None or not _same(known, clients[name]):
            commands.append({"command": "modifyClient"} | clients[name])
        if known and known.get("disabled"):
            commands.append({"command": "enableClient", "username": name})
    return commands + [{"command": "deleteRole", "rolename": name} for name in sorted(held.roles.keys() - roles.keys())]


def sync(line: Line, sites: Iterable[Site], admin: str = ADMIN) -> list[Json]:
    """Make it so; returns what was changed. Raises BrokerError."""
    talk = Talk(line, admin)
    try:
        done = changes(talk.held(), list(sites), admin)
        for change in done:
            talk.ask(change)
    finally:
        talk.close()
    return done


class Talk:
    """A connection of the admin's."""

    def __init__(self, line: Line, admin: str = ADMIN) -> None:
        self._answers: Queue[Json] = Queue()
        self._joined: Queue[int] = Queue()
        self._client = Client(CallbackAPIVersion.VERSION2, admin, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set_context(_tls(line))
        self._client.on_connect = lambda client, *_: client.subscribe(ANSWERS, 1) and None
        self._client.on_subscribe = lambda _c, _d, _mid, codes, _p: self._joined.put(codes[0].value)
        self._client.on_message = self._on_message
        try:
            self._client.connect(line.host, line.port)
        except OSError as error:
            hint = "is it running, and are the admin's certificate and key its own?"
            raise BrokerError(f"the broker at {line.host}:{line.port} cannot be reached: {error}", hint) from error
        self._client.loop_start()
        if self._next(self._joined) >= 0x80:
            self.close()
            raise BrokerError(f"the broker does not know {admin} as its admin", "wardlink fleet broker access, once")

    def held(self) -> Held:
        """All that it knows, page by page. Raises BrokerError."""
        clients = {one["username"]: one for one in self._pages("listClients", "clients")}
        roles = {one["rolename"]: one for one in self._pages("listRoles", "roles")}
        return Held(clients, roles)

    def ask(self, command: Json) -> Json:
        """The answer. Raises BrokerError.

        One at a time: the plugin writes its whole file at each change, and the broker serves nobody meanwhile.
        """
        self._client.publish(CONTROL, json.dumps({"commands": [command]}), qos=1)
        answer: Json = self._next(self._answers)["responses"][0]
        if "error" in answer:
            raise BrokerError(f"the broker refuses {answer.get('command')}: {answer['error']}")
        return answer

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _pages(self, command: str, what: str) -> Iterator[Json]:
        offset = 0
        while True:
            asked = {"command": command, "verbose": True, "count": PAGE_LIMIT_COUNT, "offset": offset}
            page = self.ask(asked)["data"][what]
            yield from page
            offset += len(page)
            if len(page) < PAGE_LIMIT_COUNT:
                return

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._answers.put(json.loads(message.payload))

    def _next(self, queue: Queue[Any]) -> Any:
        try:
            return queue.get(timeout=ANSWER_LIMIT_S)
        except Empty as error:
            self.close()
            raise BrokerError("the broker does not answer", "its log says whom it refuses, and why") from error


def _rights(role: Json) -> set[tuple[str, str, bool]]:
    return {(acl["acltype"], acl["topic"], acl["allow"]) for acl in role.get("acls", [])}


def _same(held: Json, wanted: Json) -> bool:
    roles = [role["rolename"] for role in held.get("roles", [])]
    pinned = held.get("clientid") == wanted["clientid"]
    return pinned and roles == [wanted["username"]] and not held.get("groups") and not held.get("disabled")


def _tls(line: Line) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(line.authority)
        context.load_cert_chain(line.certificate, line.key)
    except OSError as error:
        raise BrokerError(f"{line.certificate}, {line.key} or {line.authority}: {error}", "PEM files") from error
    return context
