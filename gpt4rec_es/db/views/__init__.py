"""One file of SQL per view of schema analytics; gpt4rec_es/db/analytics.py makes them."""
