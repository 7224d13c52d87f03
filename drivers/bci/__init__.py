"""The five-byte oximeter stream; `drivers.devices.contec_v5` and `drivers.devices.berry_bci` speak its dialects."""
