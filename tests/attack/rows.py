"""The thirty-five rows of the attack list: what is tried, where, and what is not tried yet and why. Pure.

`python -m tests.attack.rows > docs/attacks.md` writes the page; `test_rows.py` holds the table to the files.
"""

from __future__ import annotations

from dataclasses import dataclass

TRIED, PARTLY, LISTED = "tested", "tested in part", "listed"
SYSTEM, UNIT, RADIO, GUEST = "tests/system/test_", "tests/unit/test_", "tests/radio/test_", "tests/vm/test_guest_"


@dataclass(frozen=True)
class Row:
    """`where`: files or node ids that exist and are not skipped under `make attack`; `later`: files of parts that are
    not here yet, looked at once they are. `rest` is what is not tested, and why; `outcome` what is expected.
    """

    number: int
    title: str
    outcome: str
    state: str
    where: tuple[str, ...] = ()
    rest: str = ""
    later: tuple[str, ...] = ()


ROWS = (
    Row(
        1, "rogue device on a serial line, another model's frames",
        "no reading of it; another device at the same cable is another session", TRIED,
        (
            "tests/attack/test_row_01_rogue_serial.py",
            f"{SYSTEM}discovery.py::test_another_device_at_the_same_cable_is_another_session",
            f"{SYSTEM}who_is_who.py::test_two_kinds_whose_cables_change_places_are_never_mistaken",
        ),
        "a DINAMAP's 16 bits of check let one block in millions pass: 20 ms of a wave",
    ),
    Row(
        2, "USB: keyboard, storage, network gadget", "only a keyboard that is pinned is read, and alone", PARTLY,
        (
            f"{SYSTEM}keyboard_port.py::test_what_cannot_be_taken_is_not_read",
            f"{SYSTEM}keyboard_port.py::test_nothing_is_sent_to_a_keyboard",
            f"{GUEST}keyboard.py::test_a_scan_reaches_the_gateway_and_nobody_else",
        ),
        "no policy refuses other classes, on the image neither: the kernel looks at them, and nothing of ours does",
    ),
    Row(
        3, "USB descriptors that lie, 10 000 plug cycles", "no leak, no crash", PARTLY,
        (
            "tests/attack/test_row_03_plugs.py",
            f"{SYSTEM}discovery.py::test_an_adapter_that_leaves_while_it_is_looked_at_is_looked_for_again",
        ),
        "on a real bus 1000 cycles were run (docs/evidence/vm.jsonl); descriptors are the kernel's to read",
    ),
    Row(
        4, "rogue device by radio, cloned name or address", "bond or allow-list, else not heard", TRIED,
        (
            f"{RADIO}radio.py::test_a_rogue_with_a_cloned_name_or_address_is_not_heard",
            f"{RADIO}radio.py::test_wrong_lengths_are_refused_and_the_rest_is_heard",
            f"{RADIO}radio.py::test_a_link_that_breaks_in_the_middle_is_made_again",
        ),
        "malformed link-layer packets meet the controller and the kernel, not this program",
    ),
    Row(
        5, "downgrade of pairing, lost bond", "refused until a person bonds it again", TRIED,
        (
            f"{RADIO}radio.py::test_a_device_that_lost_its_bond_is_left_alone_until_a_person_bonds_it_again",
            f"{RADIO}radio.py::test_a_passkey_of_the_configuration_is_used_and_a_wrong_one_bonds_nobody",
            f"{RADIO}radio.py::test_only_one_device_is_bonded_in_a_window",
        ),
        "Just Works is what most of these devices can: it is allowed, at the bed, in an open window",
    ),
    Row(
        6, "1000 advertisements a second", "less than half of a processor, devices heard, memory bounded", TRIED,
        (
            "tests/attack/test_row_06_flood.py",
            f"{RADIO}radio.py::test_a_flood_of_advertisements_is_counted_and_costs_no_memory",
            f"{RADIO}radio.py::test_a_flood_in_an_open_window_is_tried_a_few_at_a_time_and_forgotten_with_it",
        ),
        "our own share; what bluetoothd takes is not in it",
    ),
    Row(
        7, "somebody between gateway and broker", "refused in words, hears nothing of MQTT, all is kept", TRIED,
        ("tests/attack/test_row_07_mitm.py",),
        "no ALPN is asked for, as mosquitto answers none: another protocol on a good certificate gets the CONNECT",
        (f"{SYSTEM}wrong_clocks.py",),
    ),
    Row(
        8, "malicious broker with a good certificate", "delays, loses nothing, frees nothing, fills no memory", TRIED,
        ("tests/attack/test_row_08_hostile_broker.py", "tests/attack/test_row_08_packets.py"),
    ),
    Row(
        9, "forged, replayed, expired, other gateway's command", "refused, counted, nothing changes", TRIED,
        (
            f"{SYSTEM}uplink_commands.py::test_an_ask_of_the_centre_is_answered_at_once_and_any_other_changes_nothing",
            f"{UNIT}uplink_commands.py::test_what_is_no_command_of_ours_is_refused_by_reason",
            f"{UNIT}uplink_commands.py::test_one_that_waited_over_a_restart_is_refused",
            f"{UNIT}uplink_commands.py::test_a_copy_for_the_first_start_of_a_number_counts_at_no_second",
            f"{UNIT}uplink_commands.py::test_every_flipped_bit_and_every_cut_is_refused",
        ),
        later=(f"{SYSTEM}commanded.py",),
    ),
    Row(
        10, "receipts that lie", "only the centre's own free anything, for the start that they name and until they "
        "expire, and the bytes stay while there is room", TRIED,
        (
            "tests/attack/test_row_10_receipts.py",
            f"{UNIT}starts.py::test_a_receipt_for_another_start_frees_nothing_and_is_counted_once",
            f"{UNIT}starts.py::test_a_receipt_counts_until_it_expires_and_where_nobody_knows_the_time",
            f"{UNIT}starts.py::test_copies_are_seen",
            f"{UNIT}spool_lacked.py::test_a_centre_that_claims_all_frees_nothing_before_space_is_needed",
        ),
        "the floor is of space, not of 24 hours: a spool that is full overwrites what the centre signed for",
    ),
    Row(
        11, "rolled back, forged, truncated image", "refused", PARTLY,
        (
            f"{SYSTEM}updating.py::test_what_was_not_asked_for_is_refused",
            f"{SYSTEM}updating.py::test_below_the_floor_nothing_is_installed_and_the_floor_stays",
            f"{SYSTEM}updating.py::test_an_older_version_wants_a_word",
            f"{SYSTEM}updating.py::test_no_bundle_is_no_bundle",
        ),
        "a forged signature is for RAUC to refuse, and here a stand-in speaks for it: the scene `refused` of "
        "`make image-test` has not held yet (docs/evidence/README.md)",
    ),
    Row(
        12, "stolen gateway: card, memory, console", "no plaintext and no data key on the card", PARTLY,
        ("tests/attack/test_row_12_stolen_card.py", f"{UNIT}wiping.py::test_nothing_is_left_that_signs_or_opens"),
        "cold boot, console, boot arguments. The tape in the runtime folder holds plain bytes: it must be in memory. "
        "The names and addresses of bonded radio devices are on the card, in the clear unless it is the image's",
        (f"{UNIT}protection.py",),
    ),
    Row(
        13, "cloned card in another board", "the sealed key does not open; the second of a name is told apart", PARTLY,
        (
            f"{SYSTEM}uplink_link.py::test_a_gateway_that_another_displaces_is_told",
            f"{UNIT}protection.py::test_a_cloned_card_in_another_board_is_refused_in_words",
        ),
        "on a real TPM: the guest's",
    ),
    Row(14, "across hospitals at one broker", "refused and logged, nobody disturbed", TRIED,
        ("tests/attack/test_two_hospitals.py", "tests/attack/test_neighbour.py")),
    Row(15, "client identifier taken over", "comes in under his own name", TRIED,
        ("tests/attack/test_two_hospitals.py::test_whoever_claims_another_client_id_comes_in_under_his_own_name",)),
    Row(
        16, "retained commands and receipts", "each new connection refuses them, and goes on", TRIED,
        ("tests/attack/test_row_10_receipts.py::"
         "test_nobody_but_the_centre_frees_anything_and_what_is_retained_poisons_nothing",),
    ),
    Row(
        17, "malformed bytes to every parser", "its own errors and no other, no growth", TRIED,
        ("tests/attack/test_row_17_parsers.py", "tests/attack/test_row_17_mqtt.py", "tests/test_fuzz.py",
         "tests/property/test_codec.py"),
        "ten million of each: `make fuzz` and `python -m tests.attack.parsers`",
    ),
    Row(18, "log injection", "one record a record, inert at a terminal, bounded", TRIED,
        ("tests/attack/test_row_18_log.py", f"{UNIT}web_guard.py::test_hostile_names_pass_through_no_answer")),
    Row(
        19, "pages: markup, foreign hosts, frames, forged requests", "inert, refused", TRIED,
        (
            "tests/attack/test_row_19_pages.py",
            "tests/attack/test_row_19_bedside.py",
            "tests/page/test_page.py::test_a_name_that_is_an_attack_is_text",
            f"{SYSTEM}page.py::test_all_beds_at_a_glance_and_strangers_text_is_inert",
            f"{UNIT}web_guard.py::test_the_socket_opens_for_our_own_pages_only",
        ),
        "the bedside page is plain HTTP and has no login: who listens on the ward's network reads along",
    ),
    Row(20, "patterns that take for ever", "each under 100 ms on what was made to choke it", TRIED,
        ("tests/attack/test_row_20_redos.py",)),
    Row(21, "bombs", "depth, size and samples bounded before anything is unpacked", TRIED,
        ("tests/attack/test_row_21_bombs.py", f"{UNIT}bundle.py::test_hostile_cbor_is_refused_and_costs_little")),
    Row(22, "numbers that are traps", "kept as they are or refused; absent is never zero", TRIED,
        ("tests/attack/test_row_22_numbers.py",)),
    Row(
        23, "false time", "bounds hold, nothing is accepted because the date is not known", TRIED,
        (
            f"{SYSTEM}wrong_clocks.py::test_without_the_time_port_it_is_refused_in_words",
            f"{SYSTEM}wrong_clocks.py::test_certificates_are_held_against_what_is_known",
            f"{SYSTEM}wrong_clocks.py::test_not_a_byte_of_mqtt_is_said_before_the_dates_were_looked_at",
        ),
    ),
    Row(
        24, "disk: full, read-only, errors, torn and flipped, lying flush", "accepted is durable; live goes on", TRIED,
        (
            "tests/attack/test_row_24_disk.py",
            "tests/crash/test_spool_crash.py::test_calls_fail",
            "tests/crash/test_spool_crash.py::test_the_power_fails_at_every_call",
            "tests/crash/test_spool_crash.py::test_two_thousand_bytes_are_flipped",
            f"{SYSTEM}gateway.py::test_a_disk_that_refuses_does_not_silence_live_and_is_shown",
        ),
        "a disk that lies about its flush loses what it lied about: it is declared, not prevented",
    ),
    Row(
        25, "one driver that raises, floods, takes memory", "the others lose nothing", PARTLY,
        ("tests/attack/test_row_25_driver.py",
         f"{RADIO}radio.py::test_a_driver_that_fails_is_counted_and_begun_again"),
        "drivers share one process: one that never returned would stop the beat until the watchdog ends it; memory and "
        "descriptors are the process's, and each driver's part is bounded by contract (tests/fuzz weighs it)",
    ),
    Row(
        26, "wristband: control characters, SQL, 4 kB, another hospital's", "a code of this hospital, or nobody", TRIED,
        (
            "tests/attack/test_row_26_wristband.py",
            f"{UNIT}barcode_reader.py::test_no_wristband",
            f"{UNIT}patient_codes.py",
        ),
        "a hospital that configures no pattern takes any number, for a person to confirm",
    ),
    Row(
        27, "patient feed spoofed, wrong facility", "AR, counted, in the audit log; a message only proposes", TRIED,
        ("tests/attack/test_row_27_adt.py", f"{UNIT}adt.py"),
        "without TLS the address of the sender is all that is known of it",
    ),
    Row(
        28, "pseudonyms linked across sites", "not linkable: another key, other names", TRIED,
        (f"{SYSTEM}bed.py::test_row_28_another_site_key_cannot_be_linked",),
        "who has the site's key and a list of numbers can: it stays in the hospital",
    ),
    Row(
        29, "traffic analysis", "a value shows a byte or two; a spot check and an alarm show", PARTLY,
        ("tests/attack/test_row_29_sizes.py",),
        "bundles are not padded to classes of 256 bytes",
    ),
    Row(30, "a package in another's place", "pinned by hash, named in the record of dependencies", TRIED,
        ("tests/attack/test_row_30_pins.py",)),
    Row(
        31, "secrets in memory dumps, logs, wire, broker", "none", TRIED,
        (
            "tests/attack/test_row_12_stolen_card.py",
            f"{SYSTEM}forgotten.py::test_a_key_is_gone_after_its_hour_and_at_the_end",
        ),
        "figures: `python -m tests.attack.canaries`",
        (f"{SYSTEM}canaries.py", f"{UNIT}diagnosis.py"),
    ),
    Row(
        32, "a nonce twice after the card was rolled back", "another key, both are told apart, receipts for one start "
        "free nothing of the other, and the next begins above", TRIED,
        (
            f"{SYSTEM}rollback.py",
            f"{UNIT}envelope_seal.py::test_no_nonce_is_used_twice_under_one_key",
            f"{UNIT}store_proofs.py::test_each_of_two_starts_under_one_number_is_told_of_its_own",
            f"{UNIT}starts.py::test_a_gateway_whose_number_was_used_ends_and_begins_above",
        ),
    ),
    Row(
        33, "audit log altered or cut", "seen, and where", TRIED,
        (
            f"{UNIT}audit.py::test_one_flipped_byte_names_its_entry",
            f"{UNIT}audit.py::test_a_log_that_ends_early_is_seen_by_the_head_that_another_kept",
            f"{UNIT}audit.py::test_a_stolen_log_cannot_be_written_anew",
        ),
    ),
    Row(
        34, "a gateway that was taken out returns", "refused at broker, centre and endpoint", TRIED,
        (
            f"{UNIT}wiping.py::test_a_wiped_box_is_enrolled_anew_under_another_name",
            f"{SYSTEM}enrol.py::test_who_is_revoked_goes_on_recording_and_says_so",
            "tests/attack/test_two_hospitals.py::test_a_gateway_comes_and_another_goes_without_a_restart",
        ),
    ),
    Row(
        35, "emergency words spoofed by a translation", "that language is not offered", PARTLY,
        ("tests/page/test_words.py::test_a_file_that_was_altered_is_not_offered",),
        "files and their list of hashes lie side by side; on the image, on the root that is verified as it is read",
    ),
)  # fmt: skip


def page() -> str:
    """docs/attacks.md."""
    counts = {state: sum(row.state == state for row in ROWS) for state in (TRIED, PARTLY, LISTED)}
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [
        "# Attacks, and what comes of them",
        "",
        "Made by `python -m tests.attack.rows > docs/attacks.md`: do not edit, a test compares.",
        "`make attack` runs `attack/`, longer than `make test` does, which runs the rest but `vm/` (`make vm`).",
        "",
        f"Of {len(ROWS)} rows: {said}. *Listed*: nothing is tried yet, and why.",
        "",
        "| | attack | what is expected | state | where it is tried | what is not |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, ROWS)]) + "\n"


def _line(row: Row) -> str:
    where = "<br>".join(f"`{node.removeprefix('tests/')}`" for node in row.where)
    return f"| {row.number} | {row.title} | {row.outcome} | {row.state} | {where} | {row.rest} |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
