"""What Mindray monitors say in HL7: numbers, waves, alarms, who and where."""
