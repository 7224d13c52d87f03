"""The fields of the reports MISCF and MISCA, counted as the manual counts them: the first after STX is field 5.

A line of a table: field, UCUM unit (`-` where the manual names none), label. `=` is a channel of the vocabulary, all
other labels go out behind the driver's id. `set-` and `limit-` are what somebody adjusted, never a measurement.
Source: 840 Ventilator System Operator's and Technical Reference Manual, "Serial port protocol", as OpenICE quotes it
(mdpnp/mdpnp at 55a7c7e4, pb840.fields, BSD-2). Fields nobody names are left out.
"""

from __future__ import annotations

_F_NUMBERS = """
13 /min set-respiratory-rate
14 L set-tidal-volume
15 L/min set-peak-flow
16 % set-oxygen
17 cm[H2O] set-pressure-sensitivity
18 cm[H2O] set-peep
19 s set-plateau-time
20 s set-apnea-interval
21 L set-apnea-tidal-volume
22 /min set-apnea-respiratory-rate
23 L/min set-apnea-peak-flow
24 % set-apnea-oxygen
25 cm[H2O] set-apnea-inspiratory-pressure
26 s set-apnea-inspiratory-time
31 cm[H2O] set-support-pressure
34 cm[H2O] limit-high-inspiratory-pressure
35 cm[H2O] limit-low-inspiratory-pressure
36 L/min limit-high-exhaled-minute-volume
37 L/min limit-low-exhaled-minute-volume
38 mL limit-high-exhaled-mandatory-tidal-volume
39 mL limit-low-exhaled-mandatory-tidal-volume
40 mL limit-high-exhaled-spontaneous-tidal-volume
41 mL limit-low-exhaled-spontaneous-tidal-volume
42 /min limit-high-respiratory-rate
43 mL limit-high-inspired-tidal-volume
44 L/min set-base-flow
45 L/min set-flow-sensitivity
46 cm[H2O] set-inspiratory-pressure
47 s set-inspiratory-time
48 1 set-ie-inspiratory-component
49 1 set-ie-expiratory-component
51 mm set-tube-diameter
54 L set-humidifier-volume
56 % set-disconnect-sensitivity
57 % set-rise-time
58 % set-pav-support
59 - set-expiratory-sensitivity
60 kg set-ideal-body-weight
61 L set-target-support-volume
62 cm[H2O] set-high-peep
63 cm[H2O] set-low-peep
64 s set-high-peep-time
65 s set-spontaneous-inspiratory-time-limit
67 s set-low-peep-time
68 s set-expiratory-time
69 cm[H2O] end-inspiratory-pressure
70 /min =resp.rr
71 L =vent.tidal_vol
72 L/min exhaled-minute-volume
73 cm[H2O] =vent.p_max
74 cm[H2O] =vent.p_mean
75 1 ie-expiratory-component
77 % =o2.fio2
78 L inspired-tidal-volume
79 cm[H2O] intrinsic-peep
80 cm[H2O].s/L pav-total-resistance
81 cm[H2O].s/L pav-patient-resistance
82 cm[H2O]/L pav-patient-elastance
83 mL/cm[H2O] pav-patient-compliance
84 - normalized-rapid-shallow-breathing-index
85 - rapid-shallow-breathing-index
86 - spontaneous-inspiratory-time-ratio
87 cm[H2O] =vent.peep
88 s spontaneous-inspiratory-time
89 L/min exhaled-spontaneous-minute-volume
90 cm[H2O] pause-intrinsic-peep
91 cm[H2O] pause-total-peep
92 mL/cm[H2O] pause-static-compliance
93 cm[H2O].s/L pause-static-resistance
94 cm[H2O] pause-plateau-pressure
96 mL/cm[H2O] dynamic-compliance
97 cm[H2O].s/L dynamic-resistance
98 L/min peak-spontaneous-flow
99 L/min peak-expiratory-flow
100 L/min end-expiratory-flow
102 cm[H2O] negative-inspiratory-force
103 cm[H2O] p0.1
104 L vital-capacity
154 L spontaneous-tidal-volume
155 J/L total-work-of-breathing
157 % leak-percent
"""
_F_STATES = {
    8: "vent-type", 9: "mode", 10: "mandatory-type", 11: "spontaneous-type", 12: "trigger-type",
    27: "apnea-flow-pattern", 28: "apnea-mandatory-type", 32: "flow-pattern", 33: "100%-o2-suction",
    50: "constant-during-rate-change", 52: "tube-type", 53: "humidification-type", 55: "o2-sensor", 66: "circuit-type",
    105: "alarm-silence", 156: "leak-compensation",
}  # fmt: skip
_F_ALARM_NAMES = (  # from field 106 on
    "apnea ventilation", "high exhaled minute volume", "high exhaled tidal volume", "high O2%",
    "high inspiratory pressure", "high ventilator pressure", "high respiratory rate", "AC power loss",
    "inoperative battery", "low battery", "loss of power", "low exhaled mandatory tidal volume",
    "low exhaled minute volume", "low exhaled spontaneous tidal volume", "low O2%", "low air supply pressure",
    "low O2 supply pressure", "compressor inoperative", "disconnect", "severe occlusion",
    "inspiration too long", "procedure error", "compliance limited tidal volume",
    "high inspired spontaneous tidal volume", "high inspired mandatory tidal volume", "high compensation limit",
    "PAV startup too long", "PAV R and C not assessed", "volume not delivered (VC+)",
    "volume not delivered (VS)", "low inspiratory pressure",
    *(f"technical malfunction A{level}" for level in range(5, 90, 5)),
)  # fmt: skip
_F_ALARMS = {95: "high spontaneous inspiratory time", **dict(enumerate(_F_ALARM_NAMES, 106))}

_A_NUMBERS = """
10 /min set-respiratory-rate
11 L set-tidal-volume
12 L/min set-peak-flow
13 % set-oxygen
14 cm[H2O] set-pressure-sensitivity
15 cm[H2O] set-peep-or-low-peep
16 s set-plateau-time
21 s set-apnea-interval
22 L set-apnea-tidal-volume
23 /min set-apnea-respiratory-rate
24 L/min set-apnea-peak-flow
25 % set-apnea-oxygen
26 cm[H2O] set-support-pressure
34 /min =resp.rr
35 L =vent.tidal_vol
36 L exhaled-minute-volume
37 L exhaled-spontaneous-minute-volume
38 cm[H2O] =vent.p_max
39 cm[H2O] =vent.p_mean
40 cm[H2O] end-inspiratory-pressure
41 1 ie-expiratory-component
42 cm[H2O] limit-high-inspiratory-pressure
45 L limit-low-exhaled-tidal-volume
46 L limit-low-exhaled-minute-volume
47 /min limit-high-respiratory-rate
63 mL/cm[H2O] pause-static-compliance
64 cm[H2O].s/L pause-static-resistance
65 mL/cm[H2O] dynamic-compliance
66 cm[H2O].s/L dynamic-resistance
67 cm[H2O] negative-inspiratory-force
68 L vital-capacity
69 L/min peak-spontaneous-flow
70 L/min set-base-flow
71 L/min set-flow-sensitivity
85 cm[H2O] set-inspiratory-pressure-or-high-peep
86 s set-inspiratory-time-or-high-peep-time
88 cm[H2O] set-apnea-inspiratory-pressure
90 s set-apnea-inspiratory-time
92 cm[H2O] limit-high-apnea-pressure
"""
_A_STATES = {9: "mode", 27: "flow-pattern", 30: "100%-o2-suction", 93: "alarm-silence", 101: "ie-ratio"}
_A_ALARMS = {
    48: "high inspiratory pressure", 51: "low exhaled tidal volume", 52: "low exhaled minute volume",
    53: "high respiratory rate", 54: "no O2 supply", 55: "no air supply", 57: "apnea ventilation",
    95: "severe occlusion or disconnect",
}  # fmt: skip

FIRST_FIELD = 5


class Layout:
    """One kind of report: how many fields it may have, and what they are."""

    def __init__(
        self, counts: range, date: int, numbers: str, states: dict[int, str], alarms: dict[int, str], prefix: str
    ) -> None:
        rows = [line.split() for line in numbers.split("\n") if line]
        self.counts = counts
        self.time, self.id, self.date = 5, 6, date
        self.numbers = {
            int(field): (label[1:] if label[0] == "=" else prefix + label, "" if unit == "-" else unit)
            for field, unit, label in rows
        }
        self.states = states
        self.alarms = alarms


def layouts(prefix: str) -> dict[str, Layout]:
    """By the name of the report. The manual's MISCF has 169 fields; one that ends behind its alarms is read as well."""
    return {
        "MISCF": Layout(range(149, 170), 7, _F_NUMBERS, _F_STATES, _F_ALARMS, prefix),
        "MISCA": Layout(range(97, 98), 8, _A_NUMBERS, _A_STATES, _A_ALARMS, prefix),
    }
