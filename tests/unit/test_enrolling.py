"""What the gateway takes of an answer and of a directory, and what it refuses; what is refused changes nothing."""

import stat
from dataclasses import replace as changed
from pathlib import Path

import msgspec
import pytest

from agent import enrolling, identity
from agent.enrol.papers import RefusedError
from agent.enrol.protection import Protection
from agent.enrolling import Keys
from config.load import ConfigError
from tests import trusted
from tests.enrol_rig import CENTRES, OPENS, SITE, FakeCentre, enrolled
from wire import keys, request
from wire.directory import Listed

NONCE = bytes(range(16))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def newer(centre: FakeCentre, **other) -> bytes:
    centre.directory = msgspec.structs.replace(centre.directory, **{"version": centre.directory.version + 1, **other})
    return centre.signed()


def refused(folder: Path, act) -> str:
    before = contents(folder)
    with pytest.raises(RefusedError) as caught:
        act()
    assert contents(folder) == before
    assert caught.value.hint
    return str(caught.value)


@pytest.fixture
def fresh(tmp_path) -> Keys:
    made = Keys(tmp_path / "keys", SITE)
    made.make("file")
    return made


def test_a_voucher_makes_a_whole_keys_folder(fresh) -> None:
    centre = FakeCentre()
    data, asked = fresh.ask(centre.voucher(), NONCE, 5)
    said = request.read(data)
    assert (said.kind, said.site, said.gateway, said.issued) == ("enrol", SITE, fresh.gateway, 5)
    took = fresh.take_answer(asked, centre.answer(data))
    assert (took.version, took.url) == (7, "https://centre.example.org:8485")
    assert fresh.enrolled() == took
    who = identity.load(fresh.folder, receipts=True)
    assert who.gateway == fresh.gateway
    assert who.recipients == (OPENS[0].recipient,)
    assert [keys.verifier_text(one) for one in who.centres] == centre.directory.centres
    assert (fresh.folder / "directory").read_bytes() == centre.signed()


def test_everything_is_for_its_user_only(fresh) -> None:
    centre = FakeCentre()
    data, asked = fresh.ask(centre.voucher(), NONCE, 5)
    fresh.take_answer(asked, centre.answer(data))
    modes = {stat.S_IMODE(file.stat().st_mode) for file in fresh.folder.rglob("*") if file.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE(fresh.folder.stat().st_mode) == 0o700


def test_a_key_is_made_once(fresh) -> None:
    first = fresh.gateway
    fresh.make("file")
    assert fresh.gateway == first == keys.gateway_id(identity.signer(fresh.folder).public_key())
    assert fresh.protection is Protection.FILE


def test_the_id_is_known_without_the_key(fresh) -> None:
    known = fresh.gateway
    (fresh.folder / "gateway.key").unlink()
    assert fresh.gateway == known


def test_a_voucher_of_another_site_is_refused_here(fresh) -> None:
    centre = FakeCentre()
    assert "south, this gateway is set up for north" in refused(
        fresh.folder, lambda: fresh.ask(centre.voucher(site="south"), NONCE, 0)
    )


def test_who_never_was_enrolled_has_nothing_to_renew(fresh) -> None:
    assert "never enrolled" in refused(fresh.folder, lambda: fresh.ask(None, NONCE, 0))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"gateway": "a" * 20}, "certificate is another gateway's"),
        ({"nonce": bytes(16)}, "another request"),
        ({"directory": b"\0" * 100}, "directory is refused"),
        ({"directory": FakeCentre(site="south").signed()}, "for the site south"),
        ({"directory": FakeCentre(trusted.root(9)).signed()}, "does not end at a root"),
        ({"roots": [trusted.root(9).der]}, "does not end at a root"),
    ],
    ids=["gateway", "nonce", "noise", "site", "foreign directory", "foreign root"],
)
def test_an_answer_that_is_not_ours_changes_nothing(fresh, other, says) -> None:
    centre = FakeCentre()
    data, asked = fresh.ask(centre.voucher(), NONCE, 0)
    assert says in refused(fresh.folder, lambda: fresh.take_answer(asked, centre.answer(data, **other)))


def test_an_answer_of_another_centre_is_refused(fresh) -> None:
    data, asked = fresh.ask(FakeCentre().voucher(), NONCE, 0)
    stranger = FakeCentre(trusted.root(9))
    assert "does not end at a root" in refused(fresh.folder, lambda: fresh.take_answer(asked, stranger.answer(data)))


def test_every_bit_of_an_answer_counts(fresh) -> None:
    centre = FakeCentre()
    data, asked = fresh.ask(centre.voucher(), NONCE, 0)
    answer = centre.answer(data)
    for at in range(0, len(answer), 37):
        spoilt = bytearray(answer)
        spoilt[at] ^= 1
        refused(fresh.folder, lambda spoilt=spoilt: fresh.take_answer(asked, bytes(spoilt)))


def test_an_answer_on_a_stick_is_taken_once(fresh) -> None:
    centre = FakeCentre()
    data, asked = fresh.ask(centre.voucher(), NONCE, 0)
    assert "no request" in refused(fresh.folder, fresh.remembered)
    fresh.remember(asked)
    fresh.take_answer(fresh.remembered(), centre.answer(data))
    assert "no request" in refused(fresh.folder, fresh.remembered)


def test_a_renewal_is_for_the_same_key_and_believes_roots_that_are_held(tmp_path) -> None:
    centre = FakeCentre()
    held = enrolled(tmp_path / "keys", centre)
    newer(centre, enrol="https://other.example.org")
    data, asked = held.ask(None, NONCE, 0)
    assert (request.read(data).kind, request.read(data).voucher) == ("renew", b"")
    took = held.take_answer(asked, centre.answer(data))
    assert (took.version, took.url) == (8, "https://other.example.org")
    data, asked = held.ask(None, NONCE, 0)
    stranger = FakeCentre(trusted.root(9))
    assert "does not end at a root" in refused(held.folder, lambda: held.take_answer(asked, stranger.answer(data)))


def test_a_renewal_with_an_older_directory_brings_a_certificate_only(tmp_path) -> None:
    centre = FakeCentre()
    held = enrolled(tmp_path / "keys", centre)
    centre.directory = msgspec.structs.replace(
        centre.directory, version=6, recipients=[Listed("other", "centre", OPENS[1].recipient.text())]
    )
    data, asked = held.ask(None, NONCE, 0)
    certificate = (held.folder / "gateway.crt").read_bytes()
    assert held.take_answer(asked, centre.answer(data)).version == 7
    assert (held.folder / "gateway.crt").read_bytes() != certificate
    assert identity.recipients(held.folder) == (OPENS[0].recipient,)


def test_a_directory_replaces_recipients_and_keys_of_the_centre(tmp_path) -> None:
    centre = FakeCentre()
    held = enrolled(tmp_path / "keys", centre)
    both = [keys.verifier_text(one.public_key()) for one in CENTRES]
    other = [Listed("remote", "centre", OPENS[1].recipient.text())]
    assert held.take_directory(newer(centre, recipients=other, centres=both)).version == 8
    who = identity.load(held.folder, receipts=True)
    assert who.recipients == (OPENS[1].recipient,)
    assert len(who.centres) == 2


def test_a_directory_is_taken_only_forwards(tmp_path) -> None:
    centre = FakeCentre()
    held = enrolled(tmp_path / "keys", centre)
    first = centre.signed()
    second = newer(centre)
    held.take_directory(second)
    before = contents(held.folder)
    assert held.take_directory(second).version == 8
    assert contents(held.folder) == before
    assert "older (7) than the one that is held (8)" in refused(held.folder, lambda: held.take_directory(first))


def test_directories_of_others_are_refused(tmp_path) -> None:
    held = enrolled(tmp_path / "keys", FakeCentre())
    for stranger in (FakeCentre(site="south"), FakeCentre(trusted.root(9))):
        data = newer(stranger)
        refused(held.folder, lambda data=data: held.take_directory(data))


def test_the_old_root_brings_in_the_new_one_and_then_goes(tmp_path) -> None:
    old, new = FakeCentre(), FakeCentre(trusted.root(9))
    held = enrolled(tmp_path / "keys", old)
    held.take_directory(newer(old, roots=[old.root.der, new.root.der]))
    new.directory = msgspec.structs.replace(new.directory, version=9)
    held.take_directory(new.signed())
    assert "does not end" in refused(held.folder, lambda: held.take_directory(newer(old, version=10)))


def test_with_a_voucher_of_a_new_root_versions_begin_anew(tmp_path) -> None:
    held = enrolled(tmp_path / "keys", FakeCentre())
    rebuilt = FakeCentre(trusted.root(9))
    rebuilt.directory = msgspec.structs.replace(rebuilt.directory, version=1)
    data, asked = held.ask(rebuilt.voucher(), NONCE, 0)
    assert held.take_answer(asked, rebuilt.answer(data)).version == 1


def test_who_is_revoked_knows_it(tmp_path) -> None:
    centre = FakeCentre()
    held = enrolled(tmp_path / "keys", centre)
    assert held.take_directory(newer(centre, revoked=[held.gateway])).revoked


def test_keys_made_by_hand_take_no_directory(fresh) -> None:
    assert "never enrolled" in refused(fresh.folder, lambda: fresh.take_directory(FakeCentre().signed()))


def test_another_site_in_the_configuration_needs_another_voucher(tmp_path) -> None:
    held = enrolled(tmp_path / "keys", FakeCentre())
    moved = changed(held, site="south")
    assert "never enrolled" in refused(held.folder, lambda: moved.ask(None, NONCE, 0))


def test_a_board_says_what_it_is() -> None:
    assert enrolling.board().isprintable()
    assert 0 < len(enrolling.board()) <= request.BOARD_LIMIT_LETTERS


def test_centre_pub_holds_up_to_four_keys(tmp_path) -> None:
    held = enrolled(tmp_path / "keys", FakeCentre())
    line = keys.verifier_text(CENTRES[0].public_key())
    for count in (1, 4):
        (held.folder / "centre.pub").write_text(f"{line}\n" * count)
        assert len(identity.centres(held.folder)) == count
    for text in ("", f"{line}\n" * 5):
        (held.folder / "centre.pub").write_text(text)
        with pytest.raises(ConfigError):
            identity.centres(held.folder)
