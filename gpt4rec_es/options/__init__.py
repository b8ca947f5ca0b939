"""Settings of single stages, as records that check themselves."""
