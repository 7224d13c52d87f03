"""The names in the keys folder that belong to enrolment."""

KEY_FILE = "gateway.key"
SEALED_FILE = "gateway.key.cred"  # the same, as an encrypted systemd credential
PUBLIC_FILE = "gateway.pub"  # `ed25519:...`: who we are, for whoever may not read the key
CERTIFICATE_FILE = "gateway.crt"
ROOTS_FILE = "ca.crt"
CENTRES_FILE = "centre.pub"
DIRECTORY_FILE = "directory"  # as it was signed
ENROLLED_FILE = "enrolled.json"
ASKED_FILE = "asked.json"  # of a request on a stick: what its answer must fit
WIPING_FILE = "wiping"  # a wipe was begun: its receipt
WIPED_FILE = "wiped"  # and done
