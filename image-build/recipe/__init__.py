"""How wardlink's image is made: small programs, called one after the other by image-build/build."""
