"""The pure parts of the Philips IntelliVue protocol; `drivers.devices.philips_intellivue` joins them."""
