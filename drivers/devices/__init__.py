"""One file per device family. The folder is the registry: nothing else lists what is in it."""
