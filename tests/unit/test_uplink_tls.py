"""What is said about certificates and connections that do not work."""

import socket
import ssl

import pytest

from agent.uplink.tls import LinkError, context, explain, explain_text
from tests.system.broker_rig import Authority


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path, "authority")


def test_tls_1_3_with_a_checked_name_and_nothing_else(authority):
    made = context(authority.path, *authority.issue("gw"))
    assert made.minimum_version is ssl.TLSVersion.TLSv1_3
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert len(made.get_ca_certs()) == 1


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_file_is_named(authority, missing):
    files = [authority.path, *authority.issue("gw")]
    files[missing].unlink()
    with pytest.raises(LinkError, match=r"cannot read .*No such file") as caught:
        context(*files)
    assert "daemon's user" in caught.value.hint


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_file_that_is_not_pem_is_named(authority, broken):
    files = [authority.path, *authority.issue("gw")]
    files[broken].write_text("not a certificate")
    with pytest.raises(LinkError, match=files[broken].name):
        context(*files)


def test_a_key_of_another_certificate_is_named(authority):
    own, other = authority.issue("gw"), authority.issue("other")
    with pytest.raises(LinkError, match="is not the key of"):
        context(authority.path, own[0], other[1])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved"),
        (ConnectionRefusedError(111, "refused"), "refuses connections"),
        (TimeoutError(), "does not answer"),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version"), "TLS 1.3"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS"),
        (ConnectionResetError(104, "Connection reset by peer"), "closed the connection"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_connections_that_fail_are_explained(error, words):
    said = explain(error, "broker.example.org", 8883)
    assert words in said.message
    assert said.hint


def test_alerts_of_the_broker_are_explained():
    text = "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] ssl/tls alert certificate expired (_ssl.c:2580)"
    assert "the gateway's certificate has expired" in explain_text(text, "h", 1).message
