"""Sessions: stamped observations of devices being heard, shaped into records and blocks."""
