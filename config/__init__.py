"""Annotated default configurations, and the one way to read a configuration file."""
