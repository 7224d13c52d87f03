"""Contec V5.1, Smiths (BCI) 3180 and the boards that copy them: the five-byte stream, 60 frames a second, unasked.

    byte 1   pulse beep 6 · SpO2 dropping 5 · searching too long 4 · signal strength 0-3
    byte 3   rate bit 7 6 · searching 5 · probe error 4 · bar graph 0-3

The whole frame, and what is taken for one: `drivers/bci/oximeter.py`.

Source: Contec communication protocol V5.1 (maker's PDF, found in InfantLab/Contec-Pulse-Oximeter-in-Matlab at
334fc646); a maker's manual translated at picbasic.co.uk/forum thread 11311 (the boards: 4800 8N1, 60 frames a second);
bit tables of atbrask/CMS50Dplus (BSD). Contec sends 0 where it has no number.

Proven on no bytes of a device: the capture is made by the rules. Not protected: there is no checksum and no counter; a
flipped low bit is not seen, and a lost frame is seen only if it was cut. Not known: the strength 15 of some firmware,
whether bar and strength are linear, what a number means that stands in a search (it is told as searching), and how an
oximeter that was just plugged shows "finger out": some programs read "searching too long" as that.
Berry's oximeters send the same bytes, faster and with other meanings: they are `berry_bci`. Stored records (F2 and F0
triplets, sent only when asked) are history, are never asked for, and are no frames.
"""

from __future__ import annotations

from drivers.bci.oximeter import NO_RATE, NO_SPO2, Dialect, FiveByteOximeter, Flag
from drivers.contract import Info, Integrity, Serial, Why


class ContecV5(FiveByteOximeter):
    info = Info(
        id="contec_v5",
        models=("Contec CMS50D", "Contec CMS50D+ (firmware before 4.6)", "Contec CMS50E (old)", "Smiths/BCI 3180"),
        claims=(Serial(19200, parity="O"), Serial(4800)),
        emits=("pleth", "spo2.bar", "spo2.signal", "spo2", "spo2.pr"),
        integrity=Integrity.NONE,
        wiring="Contec: its USB data cable, 19200 8O1 (odd parity); the stream begins with the oximeter. BCI 3180 and "
        "boards: RS-232 or TTL, 4800 8N1. A CMS50 that stays silent here speaks contec_v7.",
    )
    dialect = Dialect(
        frames_a_second=60,
        flags=(
            Flag(2, 0x10, "probe-error", why=Why.SENSOR_OFF, withholds=True),
            Flag(2, 0x20, "searching", why=Why.SEARCHING, doubts=True),
            Flag(0, 0x10, "searching-too-long", why=Why.SEARCHING),
            Flag(0, 0x20, "spo2-dropping", channel="spo2"),
        ),
        no_spo2=frozenset((0, NO_SPO2)),
        no_rate=frozenset((0, NO_RATE)),
    )
