"""The fleet: who is believed at this centre's sites: roots, issuing keys, vouchers, gateways, directories (ADR 19).

A folder that `wardlink fleet` and its enrolment endpoint share. The process that receives data only reads it.
"""
