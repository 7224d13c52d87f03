"""BlueZ, over bleak and D-Bus."""
