"""One file per device family: the device's side of the line. The folder is the registry."""
