"""GE / Datex-Ohmeda Record Interface (DRI): frames, requests, physiological data, waves and alarms."""
