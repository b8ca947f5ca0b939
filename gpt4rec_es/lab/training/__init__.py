"""Training the generator."""
