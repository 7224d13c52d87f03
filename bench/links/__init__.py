"""Bad links: profiles as data, a simulator in user space, and what the real programs do on them.

python -m bench.links profile P1        what the simulator makes of a profile: round trip, loss, rate
python -m bench.links figures           the real gateway, broker and centre on every profile
"""
