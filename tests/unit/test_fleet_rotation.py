"""Each key changes, and no envelope is lost, nobody is locked out, nobody who should not is let in."""

import datetime
import hashlib

import pytest
from cryptography import x509

from centre.config import Config, load_keys
from centre.fleet import authorities, certify, lists, members, signing
from centre.fleet.authorities import RootFile
from centre.fleet.store import FleetError
from tests import fleet_rig, trusted
from tests.fleet_rig import CENTRE, HOSPITAL, NOW, PASSPHRASE, Gateway, Rig
from wire import directory, keys
from wire.directory import DirectoryError
from wire.keys import RecipientSecret
from wire.seal import Opener, Sealer
from wire.topics import Class

NEXT = RecipientSecret("xwing", bytes(range(100, 196)))


@pytest.fixture
def rig(tmp_path) -> Rig:
    return fleet_rig.made(tmp_path)


def enrolled(rig: Rig, gateway: Gateway) -> bytes:
    voucher = rig.voucher()
    return gateway.reads(voucher.root, rig.answer(gateway.asks(voucher))).chain[0]


def sealed(rig: Rig, gateway: Gateway, epoch: int) -> list[bytes]:
    """A grant and an envelope, sealed to whom the directory names."""
    recipients = [keys.recipient(one.key) for one in rig.directory().recipients]
    sealer = Sealer(gateway.key, recipients, epoch, bytes(8))
    return [sealer.begin_hour()[1], sealer.seal(Class.VITAL, b"epoch %d" % epoch)[1]]


def opens(gateway: Gateway, secrets: tuple[RecipientSecret, ...], spool: list[list[bytes]]) -> list[bytes]:
    opener = Opener(gateway.id, secrets)
    opened = []
    for grant, envelope in spool:
        opener.statement(grant)
        opened.append(opener.open(envelope)[1])
    return opened


def test_the_centre_changes_its_key_and_opens_everything(rig, tmp_path) -> None:
    gateway = Gateway(100)
    enrolled(rig, gateway)
    spool = [sealed(rig, gateway, 1)]
    with rig.act() as act:
        lists.add_recipient(act, "north", "centre-2", "centre", NEXT.recipient.text())
    spool.append(sealed(rig, gateway, 2))
    with rig.act() as act:
        lists.retire_recipient(act, "north", "centre")
    spool.append(sealed(rig, gateway, 3))
    everything = [b"epoch 1", b"epoch 2", b"epoch 3"]
    (tmp_path / "recipient.key").write_text(NEXT.text())
    (tmp_path / "recipient-2026.key").write_text(CENTRE.text())
    (tmp_path / "centre.key").write_text(keys.signer_text(trusted.key(3)))
    own = load_keys(Config("mqtt://b", str(tmp_path)))
    assert opens(gateway, own.recipients, spool) == everything
    assert opens(gateway, (HOSPITAL,), spool) == everything  # who did not change notices nothing
    assert opens(gateway, (CENTRE,), spool[:2]) == everything[:2]  # before and while both were named
    assert opens(gateway, (NEXT,), spool[1:]) == everything[1:]
    with pytest.raises(Exception, match="no share"):
        opens(gateway, (CENTRE,), spool[2:])  # retired is retired
    with pytest.raises(Exception, match="no share"):
        opens(gateway, (NEXT,), spool[:1])


def test_each_change_is_a_new_version_for_the_sites_concerned(rig) -> None:
    north, south = rig.directory().version, rig.directory("south").version
    with rig.act() as act:
        lists.add_recipient(act, "north", "centre-2", "centre", NEXT.recipient.text())
    assert (rig.directory().version, rig.directory("south").version) == (north + 1, south)
    second = keys.verifier_text(trusted.key(4).public_key())
    with rig.act() as act:
        lists.add_centre_key(act, second)
    assert (rig.directory().version, rig.directory("south").version) == (north + 2, south + 1)
    assert rig.directory("south").centres == [second, fleet_rig.CENTRE_KEY]
    with rig.act() as act:
        lists.retire_centre_key(act, fleet_rig.CENTRE_KEY[8:16])
    assert rig.directory().centres == [second]
    with rig.act() as act:
        lists.set_address(act, "enrol", "https://enrol.example.org:8485")
        lists.set_address(act, "time", "enrol.example.org:8486")
    assert rig.directory().enrol == "https://enrol.example.org:8485" == rig.voucher().url
    assert rig.directory("south").time == "enrol.example.org:8486"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda act: lists.retire_recipient(act, "south", "centre"),
        lambda act: lists.retire_recipient(act, "south", "nobody"),
        lambda act: lists.retire_centre_key(act, fleet_rig.CENTRE_KEY),
        lambda act: lists.retire_centre_key(act, ""),
        lambda act: lists.add_recipient(act, "north", "centre", "centre", NEXT.recipient.text()),
        lambda act: lists.add_recipient(act, "north", "twin", "centre", CENTRE.recipient.text()),
        lambda act: lists.add_recipient(act, "north", "secret", "centre", CENTRE.text()),
        lambda act: lists.add_recipient(act, "north", "who", "ward", NEXT.recipient.text()),
        lambda act: lists.add_recipient(act, "west", "centre", "centre", NEXT.recipient.text()),
        lambda act: lists.add_centre_key(act, fleet_rig.CENTRE_KEY),
        lambda act: lists.add_centre_key(act, "ed25519:"),
        lambda act: lists.add_site(act, "north"),
        lambda act: lists.add_site(act, "North"),
        lambda act: lists.set_address(act, "enrol", "http://plain"),
        lambda act: lists.set_address(act, "time", "nowhere"),
        lambda act: members.revoke(act, "nobody", "why"),
        lambda act: members.certificate(act, "centre", ["Centre"], trusted.key(9).public_key()),
        lambda act: members.certificate(act, "broker", ["two words"], trusted.key(9).public_key()),
        lambda act: members.certificate(act, "broker", [], trusted.key(9).public_key()),
    ],
)
def test_what_would_do_harm_is_refused_and_changes_nothing(rig, wrong) -> None:
    lines = rig.fleet.audit_lines()
    with pytest.raises(FleetError) as found, rig.act() as act:
        wrong(act)
    assert found.value.hint
    assert CENTRE.text()[14:40] not in str(found.value)
    assert rig.fleet.audit_lines() == lines


def test_the_root_changes_and_who_knows_only_the_old_one_follows(rig, tmp_path) -> None:
    old = rig.roots()
    outstanding, gateway = rig.voucher(), Gateway(100)
    enrolled(rig, gateway)
    new_file = RootFile(tmp_path / "stick" / "root-2.pem", "another six words entirely")
    with rig.act() as act:
        new = authorities.rotate_root(act, rig.root, new_file)
    assert hashlib.sha256(rig.roots()[0]).digest() == new
    assert rig.directory().roots == rig.roots()
    assert len(rig.roots()) == 2
    with rig.fleet.reading() as db:
        data = lists.newest(db, "north")[1]
    for held in (old, rig.roots()[:1]):
        assert directory.read(held, "north", data).roots == rig.roots()
    with pytest.raises(DirectoryError):
        directory.read([trusted.root(9).der], "north", data)
    with rig.fleet.reading() as db:
        issuing = db.execute("SELECT DISTINCT key, root FROM issuing ORDER BY number").fetchall()
    assert [row["root"] for row in issuing] == [hashlib.sha256(old[0]).digest(), new]
    assert issuing[0]["key"] != issuing[1]["key"]  # the old one may be why there is a new root
    late = Gateway(101)
    late.reads(outstanding.root, rig.answer(late.asks(outstanding)))  # a voucher of before
    assert rig.voucher().root == new
    with pytest.raises(FleetError, match="is not the newest"), rig.act() as act:
        authorities.rotate_issuing(act, rig.root)
    with rig.act() as act:
        authorities.rotate_issuing(act, new_file)
    enrolled(rig, Gateway(102))
    with rig.fleet.reading() as db:
        data = lists.newest(db, "north")[1]
    assert directory.read(old, "north", data) == directory.read(rig.roots()[:1], "north", data)


def test_an_old_root_is_dropped_when_all_have_renewed(rig, tmp_path) -> None:
    old, gateway = rig.roots()[0], Gateway(100)
    enrolled(rig, gateway)
    rig.later(1)
    with rig.act() as act:
        authorities.rotate_root(act, rig.root, RootFile(tmp_path / "stick" / "root-2.pem", PASSPHRASE))
    name = hashlib.sha256(old).hexdigest()[:8]
    with pytest.raises(FleetError, match="1 gateways have not renewed"), rig.act() as act:
        authorities.drop_root(act, name)
    rig.later(60)
    gateway.reads([old], rig.answer(gateway.asks(None)))
    with rig.act() as act:
        authorities.drop_root(act, name)
    assert old not in rig.directory().roots
    for wrong in (name, "", rig_name(rig)):
        with pytest.raises(FleetError), rig.act() as act:
            authorities.drop_root(act, wrong)
    sleeper = Gateway(100)  # slept through all of it, and holds the old root only
    sleeper.reads([old], rig.answer(sleeper.asks(None)))


def rig_name(rig: Rig) -> str:
    return hashlib.sha256(rig.roots()[0]).hexdigest()[:8]


def test_the_issuing_key_changes_and_revocations_of_both_are_listed(rig) -> None:
    first, second = Gateway(100), Gateway(101)
    leaf = x509.load_der_x509_certificate(enrolled(rig, first))
    with rig.act() as act:
        authorities.rotate_issuing(act, rig.root)
    other = x509.load_der_x509_certificate(enrolled(rig, second))
    assert leaf.issuer != other.issuer
    with rig.act() as act:
        members.revoke(act, first.id, "stolen")
        members.revoke(act, second.id, "lost")
        listed = members.revocations(act)
    parts = [part + b"-----END X509 CRL-----\n" for part in listed.split(b"-----END X509 CRL-----\n") if part]
    found = {crl.issuer: crl for crl in map(x509.load_pem_x509_crl, parts)}
    for one in (leaf, other):
        crl = found[one.issuer]
        assert [entry.serial_number for entry in crl] == [one.serial_number]
        assert crl.next_update_utc > datetime.datetime.fromtimestamp(NOW / 1e6, datetime.UTC)
    rig.later(91)  # what has expired needs no list, nor does the key that only signed such
    with rig.act() as act:
        (crl,) = (x509.load_pem_x509_crl(members.revocations(act)),)
    assert list(crl) == []
    assert crl.issuer == other.issuer


def test_an_answer_after_the_issuing_key_changed_is_signed_by_one_key(rig) -> None:
    gateway = Gateway(100)
    first = enrolled(rig, gateway)
    with rig.act() as act:
        authorities.rotate_issuing(act, rig.root)
    again = gateway.reads(rig.roots(), rig.answer(gateway.asks(None)))
    assert again.chain[0] != first


def test_issuing_certificates_may_sign_no_authority(rig) -> None:
    with rig.fleet.reading() as db:
        issuing = x509.load_der_x509_certificate(signing.chain(db)[0])
    constraints = issuing.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert certify.until_of(issuing) - NOW == 731 * certify.DAY_US
    assert certify.until_of(x509.load_der_x509_certificate(rig.roots()[0])) - NOW == 3652 * certify.DAY_US
