"""What travels: envelopes, bundles, keys, receipts, topics. Pure; shared by gateway and centre (DESIGN 6)."""
