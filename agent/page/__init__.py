"""The nurse's screen, a process of its own: three facts, one word, and who the patient is."""
