"""The pure parts that the Bluetooth SIG health profiles share; the drivers `drivers.devices.gatt_*` use them."""
