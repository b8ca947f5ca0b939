"""Opens a file with the reader that fits its content: Parquet, JSON lines or CSV, plain or gzip."""

from pathlib import Path

from gpt4rec_es.feeds.batches import Feed
from gpt4rec_es.feeds.csv_feed import CsvFeed
from gpt4rec_es.feeds.json_feed import JsonFeed
from gpt4rec_es.feeds.source import ByteSource

_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")


def open_feed(path: str | Path) -> Feed:
    """Return a feed of the records in the file at ``path``; the caller closes it.

    Raises:
        UsageError: it cannot be read or has an unknown format.
        DataError: it is empty or damaged.
    """
    source = ByteSource(path)
    try:
        head = source.peek()
        if head.startswith(b"PAR1"):
            # pyarrow takes 0.3 s to import, so it is imported for Parquet only.
            from gpt4rec_es.feeds.parquet_feed import ParquetFeed  # noqa: PLC0415

            source.close()
            return ParquetFeed(path)
        # The file name is used as well: the first line of a JSON file may be malformed.
        named_json = str(path).lower().removesuffix(".gz").endswith(_JSON_ENDINGS)
        if named_json or head.lstrip()[:1] in (b"{", b"["):
            return JsonFeed(source)
        return CsvFeed(source)
    except BaseException:
        source.close()
        raise
