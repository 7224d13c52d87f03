"""The image's own rules in the kernel: what comes in from the next machine, and what does not. Needs root and nft."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OVERLAY = Path(__file__).resolve().parents[2] / "image-build/overlay"
RULES = OVERLAY / "etc/nftables.conf"
SOCKET = OVERLAY / "usr/lib/systemd/system/wardlink-page.socket.d/10-image.conf"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Two machines and a cable: this process is the gateway, the child `other` is who calls.
STORY = """
import json, socket, subprocess, sys
rules, opens, closes = sys.argv[1:]
def do(*words): return subprocess.run(words, check=True, capture_output=True, text=True).stdout
def call(ports, kind):
    # Which of them answer, all asked at once.
    words = f'''import socket
from concurrent.futures import ThreadPoolExecutor
def one(port):
    s = socket.socket(socket.AF_INET, socket.{kind}); s.settimeout(0.7)
    try:
        s.connect(("10.9.0.1", port)); s.send(b"x"); return bool(s.recv(1))
    except OSError:
        return False
ports = {ports}
print([port for port, is_open in zip(ports, ThreadPoolExecutor(8).map(one, ports)) if is_open])'''
    return json.loads(do("nsenter", "-t", str(other.pid), "-n", sys.executable, "-IS", "-c", words))
import threading
def answer(port):
    tcp, udp = socket.create_server(("0.0.0.0", port)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", port))
    def take():
        while True:
            one, _ = tcp.accept(); one.send(one.recv(1)); one.close()
    def echo():
        while True:
            data, who = udp.recvfrom(9); udp.sendto(data, who)
    for work in (take, echo): threading.Thread(target=work, daemon=True).start()
other = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
other.stdout.readline()
try:
    do("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(other.pid))
    do("ip", "addr", "add", "10.9.0.1/24", "dev", "here")
    do("ip", "link", "set", "here", "up")
    inside = ("nsenter", "-t", str(other.pid), "-n")
    do(*inside, "ip", "addr", "add", "10.9.0.2/24", "dev", "there")
    do(*inside, "ip", "link", "set", "there", "up")
    everywhere = [22, 80, 81, 1883, 8480]
    for port in everywhere: answer(port)
    found = {"without": call(everywhere, "SOCK_STREAM")}
    do("nft", "-f", rules)
    found["ruled"] = call(everywhere, "SOCK_STREAM")
    do(*opens.split())
    found["page"] = call(everywhere, "SOCK_STREAM")
    found["datagrams"] = call(everywhere, "SOCK_DGRAM")
    do(*closes.split())
    found["closed"] = call(everywhere, "SOCK_STREAM")
    print(json.dumps(found))
finally:
    other.kill(); other.wait()
"""


def able() -> bool:
    if os.geteuid() or not all(shutil.which(one, path=PATH) for one in ("nft", "ip", "unshare", "nsenter")):
        return False
    return subprocess.run(["unshare", "-n", "nft", "-f", RULES], env={"PATH": PATH}, check=False).returncode == 0


def said(word: str) -> str:
    """The command that the page's socket runs, without the braces' quoting of systemd (there is none)."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(SOCKET)
    return unit["Socket"][word].removeprefix("-")


@pytest.mark.skipif(not able(), reason="needs root, nft, ip and namespaces")
def test_the_page_is_let_in_and_nothing_else() -> None:
    words = ["unshare", "-n", sys.executable, "-c", STORY, str(RULES), said("ExecStartPre"), said("ExecStopPost")]
    done = subprocess.run(words, env={"PATH": PATH}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    everywhere = [22, 80, 81, 1883, 8480]
    assert json.loads(done.stdout) == {
        "without": everywhere, "ruled": [], "page": [80], "datagrams": [], "closed": [],
    }  # fmt: skip
