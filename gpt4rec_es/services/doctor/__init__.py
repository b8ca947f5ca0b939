"""Looking at everything the program needs, each part by itself, and saying what to do."""
