"""Updates: what is wanted, how it is fetched behind live data, and whether the new system is well (ADR 25)."""
