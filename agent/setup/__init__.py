"""What a field engineer writes on the boot partition, and what the machine makes of it."""
