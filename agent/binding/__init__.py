"""Who the patient is: never guessed, always a person's word, appended and never rewritten (NUR-05 to NUR-11)."""
