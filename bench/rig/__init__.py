"""Many simulated gateways against the real broker and the real centre: what they carry, and what it costs.

`python -m bench.rig run | limit | storm`, docs/scale.md. Simulated is the gateway's body alone: no device, no spool, no
process of its own. On the wire it is one: its own key and id, its own certificate where TLS is on, a grant that the
centre must open, envelopes numbered and sealed by `wire`, manifests, presence, a Will, the receipt that it waits for,
and the back-off and the patience of `agent/uplink`.
"""
