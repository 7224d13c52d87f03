"""Who is let in, and who is not: every refusal is a line of the audit log, and costs nothing else."""

import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from centre.fleet import answering, authorities, lists, members, vouchers
from centre.fleet.answering import Key
from centre.fleet.authorities import RootFile
from centre.fleet.fleet import RefusedError
from centre.fleet.limiter import Limiter
from centre.fleet.store import FleetError
from tests import fleet_rig, trusted
from tests.fleet_rig import NOW, PASSPHRASE, Gateway, Rig
from wire import chain, directory, request
from wire.audit import AuditError
from wire.voucher import Voucher


@pytest.fixture
def rig(tmp_path) -> Rig:
    return fleet_rig.made(tmp_path)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(100)


def refused(rig: Rig, data: bytes, word: str, why: str) -> None:
    before = len(rig.fleet.audit_lines())
    with pytest.raises(RefusedError) as found:
        rig.answer(data)
    assert found.value.word == word
    assert why in found.value.why
    lines = rig.fleet.audit_lines()
    assert len(lines) == before + 1
    assert '"what":"refused"' in lines[-1]
    rig.fleet.verified()


def enrolled(rig: Rig, gateway: Gateway, **more) -> bytes:
    voucher = rig.voucher(**more)
    return gateway.reads(voucher.root, rig.answer(gateway.asks(voucher, voucher.site))).chain[0]


def test_a_voucher_lets_a_gateway_in(rig, gateway) -> None:
    voucher = rig.voucher(bed="ward 3, bed 12")
    answer = gateway.reads(voucher.root, rig.answer(gateway.asks(voucher)))
    said = directory.read(answer.roots, "north", answer.directory)
    assert [one.name for one in said.recipients] == ["hospital", "centre"]
    assert said.centres == [fleet_rig.CENTRE_KEY]
    assert said == rig.directory()
    leaf = x509.load_der_x509_certificate(answer.chain[0])
    assert chain.name_of(leaf.subject) == gateway.id
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    now = datetime.datetime.fromtimestamp(NOW / 1e6, datetime.UTC)
    assert now - leaf.not_valid_before_utc == datetime.timedelta(hours=1)
    assert leaf.not_valid_after_utc - now == datetime.timedelta(days=90)
    with rig.fleet.reading() as db:
        (member,) = members.members(db)
        (shown,) = vouchers.shown(db, NOW)
    assert (member.gateway, member.site, member.bed, member.board) == (gateway.id, "north", "ward 3, bed 12", "Pi")
    assert (shown.state, shown.gateway) == ("used", gateway.id)
    assert '"what":"issued"' in rig.audit()


def test_no_secret_is_kept(rig, gateway, tmp_path) -> None:
    voucher = rig.voucher()
    rig.answer(gateway.asks(voucher))
    for path in (tmp_path / "fleet").iterdir():
        assert voucher.secret not in path.read_bytes()
        assert voucher.text()[10:30].encode() not in path.read_bytes()
    assert voucher.name in rig.audit()


def test_the_same_key_gets_the_same_certificate_again(rig, gateway) -> None:
    voucher = rig.voucher()
    first = gateway.reads(voucher.root, rig.answer(gateway.asks(voucher)))
    rig.later(4)  # the voucher has expired, the answer was lost
    again = gateway.reads(voucher.root, rig.answer(gateway.asks(voucher)))
    assert again.chain == first.chain


def test_a_voucher_is_used_once(rig, gateway) -> None:
    voucher = rig.voucher()
    rig.answer(gateway.asks(voucher))
    refused(rig, Gateway(101).asks(voucher), "voucher", f"{voucher.name} used")


def test_a_voucher_expires(rig, gateway) -> None:
    voucher = rig.voucher(hours=72)
    rig.later(3.01)
    refused(rig, gateway.asks(voucher), "voucher", "expired")
    with pytest.raises(FleetError, match="1 to 72"):
        rig.voucher(hours=73)


def test_a_voucher_is_for_one_site(rig, gateway) -> None:
    refused(rig, gateway.asks(rig.voucher(), "south"), "voucher", "is for north, asked for south")


def test_a_voucher_is_withdrawn(rig, gateway) -> None:
    voucher = rig.voucher()
    with rig.act() as act:
        vouchers.withdraw(act, voucher.name)
    refused(rig, gateway.asks(voucher), "voucher", "withdrawn")


def test_an_unknown_voucher_and_one_with_the_wrong_secret(rig, gateway) -> None:
    refused(rig, gateway.asks(Voucher("north", NOW, bytes(32), "", bytes(20))), "voucher", "unknown")
    voucher = rig.voucher()
    with pytest.raises(RefusedError), rig.act() as act:
        answering.enrol(act, Key(gateway.id, gateway.key.public_key()), voucher.name, bytes(20), None)
    rig.answer(gateway.asks(voucher))  # it was not spent by that


def test_who_signs_for_another_is_refused(rig, gateway) -> None:
    refused(rig, gateway.asks(rig.voucher(), signer=trusted.key(101)), "request", "signature")
    alias = request.Request("enrol", "north", trusted.csr(gateway.key, "alias"), bytes(20), bytes(16), NOW, "")
    refused(rig, request.sign(gateway.key, alias), "request", "not the hash of its key")
    refused(rig, b"junk", "request", "")


def test_a_revoked_gateway_stays_out_whatever_it_brings(rig, gateway) -> None:
    enrolled(rig, gateway)
    version = rig.directory().version
    with rig.act() as act:
        members.revoke(act, gateway.id, "stolen")
    refused(rig, gateway.asks(None), "revoked", "is revoked")
    refused(rig, gateway.asks(rig.voucher()), "revoked", "is revoked")
    assert rig.directory().revoked == [gateway.id]
    assert rig.directory().version == version + 1
    assert rig.directory("south").revoked == []


def test_renewal_is_by_the_key_and_for_the_same_key(rig, gateway) -> None:
    first = enrolled(rig, gateway)
    rig.later(0.5)
    assert gateway.reads(rig.roots(), rig.answer(gateway.asks(None))).chain[0] == first  # one a day is enough
    rig.later(60)
    renewed = gateway.reads(rig.roots(), rig.answer(gateway.asks(None))).chain[0]
    assert renewed != first
    assert chain.key_of(chain.certificate(renewed)) == gateway.key.public_key()
    refused(rig, gateway.asks(None, "south"), "site", "belongs to north")
    refused(rig, Gateway(101).asks(None), "gateway", "never enrolled")


def test_after_two_hundred_days_without_power_it_renews_and_after_more_it_needs_a_voucher(rig, gateway) -> None:
    enrolled(rig, gateway)
    rig.later(200)
    gateway.reads(rig.roots(), rig.answer(gateway.asks(None)))
    rig.later(90 + 181)
    refused(rig, gateway.asks(None), "expired", "180 days")
    enrolled(rig, gateway)


def test_no_certificate_outlives_the_key_that_signed_it(rig, gateway) -> None:
    rig.later(700)
    leaf = x509.load_der_x509_certificate(enrolled(rig, gateway))
    now = datetime.datetime.fromtimestamp(rig.now / 1e6, datetime.UTC)
    assert datetime.timedelta(days=30) < leaf.not_valid_after_utc - now < datetime.timedelta(days=32)
    rig.later(40)
    with pytest.raises(FleetError, match="issuing certificate has expired"):
        rig.answer(Gateway(101).asks(rig.voucher()))
    with rig.act() as act:
        authorities.renew_issuing(act, rig.root)
    enrolled(rig, Gateway(101))


def test_a_site_without_anybody_who_could_open_has_no_voucher(rig) -> None:
    with rig.act() as act:
        lists.add_site(act, "west")
    with pytest.raises(FleetError) as found:
        rig.voucher("west")
    assert "recipient add" in found.value.hint
    with pytest.raises(FleetError, match="no site east"):
        rig.voucher("east")


def test_a_retired_gateway_is_not_let_in_and_not_called_revoked(rig, gateway) -> None:
    enrolled(rig, gateway, bed="12")
    with rig.act() as act:
        voucher = members.replace(act, gateway.id, "broken")
    other = Gateway(101)
    other.reads(voucher.root, rig.answer(other.asks(voucher)))
    refused(rig, gateway.asks(None), "revoked", "is retired")
    with rig.fleet.reading() as db:
        found = {one.gateway: (one.state, one.bed, one.replaces) for one in members.members(db)}
    assert found == {gateway.id: ("retired", "12", ""), other.id: ("active", "12", gateway.id)}
    with rig.act() as act:
        assert lists.publish(act, "north") > 1
    assert rig.directory().revoked == []
    with rig.act() as act:
        members.revoke(act, gateway.id, "it was stolen after all")
    with pytest.raises(FleetError, match="is revoked"), rig.act() as act:
        members.replace(act, gateway.id, "broken")


def test_the_audit_log_is_whole_or_says_where_not(rig, gateway) -> None:
    enrolled(rig, gateway)
    head = rig.fleet.verified()
    enrolled(rig, Gateway(101))
    assert rig.fleet.verified(head).count > head.count
    with rig.act() as act:
        act.db.execute("UPDATE audit SET line = replace(line, ?, ?) WHERE n = 3", ("north", "south"))
    with pytest.raises(AuditError):
        rig.fleet.verified()
    with rig.act() as act:
        act.db.execute("UPDATE audit SET line = replace(line, ?, ?) WHERE n = 3", ("south", "north"))
        act.db.execute("DELETE FROM audit WHERE n >= 5")
    with pytest.raises(AuditError, match="entries were there"):
        rig.fleet.verified(head)


def test_what_fails_leaves_nothing(rig, gateway) -> None:
    voucher, lines = rig.voucher(), len(rig.fleet.audit_lines())
    (rig.fleet.folder / f"issuing-{issuing_of(rig)}.key").rename(rig.fleet.folder / "away")
    with pytest.raises(FleetError, match="not readable"):
        rig.answer(gateway.asks(voucher))
    (rig.fleet.folder / "away").rename(rig.fleet.folder / f"issuing-{issuing_of(rig)}.key")
    assert len(rig.fleet.audit_lines()) == lines
    rig.answer(gateway.asks(voucher))


def test_of_what_is_refused_only_the_line_is_kept(rig) -> None:
    def late() -> None:
        with rig.act() as act:
            lists.add_site(act, "west")
            raise RefusedError("request", "after all")

    with pytest.raises(RefusedError):
        late()
    with rig.fleet.reading() as db:
        assert "west" not in lists.sites(db)
    assert "west" not in rig.audit()
    assert "after all" in rig.audit()


def test_strangers_do_not_fill_the_disk_and_are_counted(rig) -> None:
    rig.fleet.refusals = Limiter(burst=3, every_s=10.0)
    before = len(rig.fleet.audit_lines())
    for _ in range(20):
        with pytest.raises(RefusedError):
            rig.answer(b"junk")
    assert len(rig.fleet.audit_lines()) == before + 3
    rig.later(1)
    with pytest.raises(RefusedError):
        rig.answer(b"junk")
    assert '"unsaid":"17"' in rig.fleet.audit_lines()[-1]


def issuing_of(rig: Rig) -> str:
    from centre.fleet import signing

    with rig.fleet.reading() as db:
        return signing.key_name(db)


def test_the_root_is_kept_elsewhere_and_under_a_passphrase(rig, tmp_path) -> None:
    text = rig.root.path.read_text()
    assert "ENCRYPTED PRIVATE KEY" in text
    for folder, file, passphrase, why in (
        ("other", "other/root.pem", PASSPHRASE, "must not stay"),
        ("other", "stick/new.pem", "short", "less than 12"),
        ("other", "stick/root.pem", PASSPHRASE, "is there already"),
        ("fleet", "stick/new2.pem", PASSPHRASE, "is there already"),
    ):
        with pytest.raises(FleetError, match=why):
            authorities.begin(tmp_path / folder, RootFile(tmp_path / file, passphrase), "test", NOW)
    with pytest.raises(FleetError, match="does not open"), rig.act() as act:
        authorities.renew_issuing(act, RootFile(rig.root.path, "another passphrase"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in rig.fleet.folder.glob("*.key"))
