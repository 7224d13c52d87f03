"""Who may look at what, and that it is written down: people, sessions, rights, looks. `centre/web/door.py` asks."""
