"""Forgetting users, pseudonyms, and the register of exports."""
