"""Simulated devices: real recordings spoken in the devices' own protocols, for the demo and for tests."""
