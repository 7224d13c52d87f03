"""Puritan Bennett 840: which field of a report is what. `drivers.devices.puritan_bennett_840` reads them."""
