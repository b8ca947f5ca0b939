"""Pure checks of query texts: forbidden phrases, foreign scripts, repetition."""
