"""Devices by radio: who may be connected, one task for each, and what to do when the adapter fails. Knows no stack."""
