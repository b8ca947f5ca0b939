"""What a run freezes when it is planned."""
