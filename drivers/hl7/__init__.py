"""HL7 version 2 as devices speak it: blocks of MLLP, messages, segments, fields."""
