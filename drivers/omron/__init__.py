"""The pure parts of the Omron memory driver: where each model keeps its records, and what a record says."""
