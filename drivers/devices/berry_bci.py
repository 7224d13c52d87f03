"""Berry oximeters, "BCI protocol" V1.2: the five-byte stream, 100 frames a second, unasked, over BLE or USB.

    byte 1   pulse beep 6 · probe unplugged 5 · no signal 4 · signal strength 0-3
    byte 3   rate bit 7 6 · searching 5 · no finger 4 · bar graph 0-3
    pleth 1 to 100, 0 none · rate 255 none · SpO2 127 none

The whole frame, and what is taken for one: `drivers/bci/oximeter.py`.

Source: BCI Protocol V1.2 (maker's PDF, zh2x/BCI_Protocol at b0237a44); the maker's own programs for the line and the
sentinels (zh2x/SpO2-USB-for-Android at 3860c2bc: 115200 8N1, 127 and 255; zh2x/SpO2-BLE-for-Android);
Adafruit_CircuitPython_BLE_BerryMed_Pulse_Oximeter (MIT) for the BM1000.

Proven on no bytes of a device: the capture is made by the rules. Not protected: there is no checksum and no counter; a
flipped low bit is not seen, and a lost frame is seen only if it was cut. Not known: whether a set bit 4 of byte 1 is
"no signal" in all firmware (Adafruit's notes say the opposite), so it explains absent numbers and doubts no others;
whether an app's change of the packet rate (50 to 500 a second) outlives the connection: such a device is told as 100.
First bytes FD, FE and FF are version texts, sent only when asked, and are never asked for; they hold no reading.
Newer devices speak other formats ("BCI-RESP", V1.5 with 20 bytes), which are not taken for this one.
"""

from __future__ import annotations

from drivers.bci.oximeter import NO_RATE, NO_SPO2, Dialect, FiveByteOximeter, Flag
from drivers.contract import Ble, Info, Integrity, Serial, Why

UART = "49535343-fe7d-4ae5-8fa9-9fafd205e455"
NOTIFY = "49535343-1e4d-4bd9-ba61-23c647249616"


class BerryBci(FiveByteOximeter):
    info = Info(
        id="berry_bci",
        models=("Berry BM1000", "Berry BM1000C", "Berry BM1000E", "Berry USB oximeters"),
        claims=(Ble(UART, "BerryMed"), Serial(115200)),
        emits=("pleth", "spo2.bar", "spo2.signal", "spo2", "spo2.pr"),
        integrity=Integrity.NONE,
        wiring='BLE: switch it on with a finger in; it shows itself as "BerryMed" (often without its UUID), takes one '
        "connection, and needs no pairing. USB: its own cable, 115200 8N1.",
    )
    dialect = Dialect(
        frames_a_second=100,
        flags=(
            Flag(0, 0x20, "probe-unplugged", why=Why.NO_SENSOR, withholds=True),
            Flag(2, 0x10, "no-finger", why=Why.SENSOR_OFF, withholds=True),
            Flag(2, 0x20, "searching", why=Why.SEARCHING, doubts=True),
            Flag(0, 0x10, "no-signal", why=Why.LOW_SIGNAL),
        ),
        no_spo2=frozenset((NO_SPO2,)),
        no_rate=frozenset((NO_RATE,)),
        no_pleth=frozenset((0,)),
        not_readings=frozenset((0xFD, 0xFE, 0xFF)),
        notify=NOTIFY,
    )
