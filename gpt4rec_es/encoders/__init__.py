"""Networks and tokenizers opened from folders; texts turned into vectors."""
