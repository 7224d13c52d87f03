"""Draeger MEDIBUS: the polled ASCII half (`slow`, `values`), the realtime half (`curves`), codes, and the talk.

Pure, as every driver: bytes and times come in, values go back. `drivers.devices.draeger_medibus` puts it together.
"""
