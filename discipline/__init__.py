"""What this machine's clock is worth: the word of whoever keeps it, or the kernel's (docs/adr/0020-time.md).

For the gateway and the centre alike. Reads no clock itself; times are microseconds.
"""
