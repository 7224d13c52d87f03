"""Device protocols as pure functions of bytes and time. Standard library only, no I/O, no clock (DESIGN 5)."""
