"""The command `wardlink`: data on stdout, talk on stderr, exit 0, 1, 2 usage, 78 configuration."""
