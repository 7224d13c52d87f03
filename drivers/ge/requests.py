"""The requests a monitor is asked with: subscriptions to what it shows. Nothing else is ever sent.

    numerics   type u8 (1 displayed) · interval i16 in seconds · classes u32 (2 ext1, 4 ext2, 8 ext3) · reserved i16
    waves      start 0 i16 · reserved i16 · eight types u8, FF ends · reserved 20 bytes
    alarms     0 tell them once, 2 tell every change i16 · reserved 10 bytes

The header is all zeros but for the length, the main type and the end of the sub-record list, as in the maker's own
examples (Appendix A); monitors take DRI level 0 from a host.

Source: GE S/5 Computer Interface M1017617 rev. 12, sections "Access to ..." and Appendix A.
"""

from __future__ import annotations

import struct

from drivers.ge.frames import ALARMS, COMMAND, DESCRIPTOR, END_OF_LIST, HEADER, PHYSIOLOGICAL, WAVES, framed

DISPLAYED = 1
ALL_CLASSES = 0x0E  # basic comes unless it is denied
INTERVAL_S = 5  # the shortest a monitor takes
# ECG1, pleth, pressure 1, impedance, CO2: 550 samples a second; at 19200 baud a monitor sends no more than 600.
WANTED = (1, 8, 4, 15, 9)


def request(main_type: int, body: bytes) -> bytes:
    """A request with one sub-record, as it travels."""
    listed = DESCRIPTOR.pack(0, COMMAND) + DESCRIPTOR.pack(0, END_OF_LIST) + bytes(6 * DESCRIPTOR.size)
    return framed(HEADER.pack(HEADER.size + len(body), 0, 0, 0, 0, 0, 0, 0, main_type, listed) + body)


def numerics(interval_s: int, classes: int) -> bytes:
    return request(PHYSIOLOGICAL, struct.pack("<BhIh", DISPLAYED, interval_s, classes, 0))


NUMERICS_EVERY_5_S = numerics(INTERVAL_S, ALL_CLASSES)
WAVES_FROM_NOW = request(WAVES, struct.pack("<hh8s20x", 0, 0, bytes((*WANTED, END_OF_LIST))))
ALARMS_ONCE = request(ALARMS, struct.pack("<h10x", 0))
ALARM_CHANGES = request(ALARMS, struct.pack("<h10x", 2))

SENDS = frozenset((NUMERICS_EVERY_5_S, WAVES_FROM_NOW, ALARMS_ONCE, ALARM_CHANGES))
