"""The pure parts of ISO/IEEE 11073-20601; `drivers.devices.ieee11073_agent` joins them."""
