"""Ways to reach a device. A port moves bytes and times; it knows no protocol."""
