"""The uplink: envelopes to the broker, live before backfill, and receipts back (DESIGN 8)."""
