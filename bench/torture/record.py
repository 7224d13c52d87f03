"""What every record carries besides its number, so that an altered one is seen."""

PAD = "x" * 150
ALTERED = -1  # instead of the number
