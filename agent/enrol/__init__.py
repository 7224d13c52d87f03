"""Enrolment: how the gateway comes by its key, its certificate and the directory (ADR 19)."""
