"""All SQL of the program: statements by what they are about; use cases call these functions."""
