"""What is stored, in the formats of others: bit-exact or refused, gaps kept, times with what is known of them.

`archive` reads the store, `plan` says what a wish names (strips of waves, readings of sessions), each format is one
file that turns a plan into members (a name and its bytes, in order), and `deliver` writes them to a folder or a zip.
"""
