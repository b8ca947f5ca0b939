"""Opens a file with the reader that fits its content: Parquet, JSON lines or CSV, plain or gzip."""

from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import Feed
from gpt4rec_es.feeds.csv_feed import CsvFeed
from gpt4rec_es.feeds.formats import Formats, Quoting, Reading
from gpt4rec_es.feeds.json_feed import JsonFeed
from gpt4rec_es.feeds.quoting import QuotingVotes
from gpt4rec_es.feeds.shapes import Shape
from gpt4rec_es.feeds.source import ByteSource
from gpt4rec_es.feeds.survey import Survey

_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
_AUTO = Formats()


def open_feed(path: str | Path, formats: Formats = _AUTO) -> Feed:
    """Return a feed of the records in the file at ``path``; the caller closes it.

    Raises:
        UsageError: it cannot be read, has an unknown format, or leaves open how it quotes.
        DataError: it is empty or damaged.
    """
    source = ByteSource(path, formats.max_size)
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
        quoting, said = _quoting(path, formats)
        feed = CsvFeed(source, quoting, formats.quoted_lines)
        feed.said += said
        return feed
    except BaseException:
        source.close()
        raise


def read_values(feed: Feed, path: str | Path, shape: Shape, formats: Formats) -> Reading:
    """Return how to read the values of a file, by a first pass over it, and tell ``feed.said``.

    Raises:
        UsageError: values can be read in two ways, and an option must say how.
    """
    known = replace(formats, quoting=feed.quoting) if isinstance(feed, CsvFeed) else formats
    survey = Survey(shape, formats)
    with closing(open_feed(path, known)) as again:
        reading = survey.read(again)
    feed.said += survey.said
    return reading


def _quoting(path: str | Path, formats: Formats) -> tuple[Quoting, list[str]]:
    if formats.quoting != "auto":
        return formats.quoting, []
    source = ByteSource(path, formats.max_size)
    with closing(source):
        feed = CsvFeed(source)
        votes = QuotingVotes(feed.path, feed.header.delimiter, len(feed.fields))
        with suppress(DataError):  # the import itself meets damage again, and records it
            for block in feed.lines():
                votes.look(block)
                if votes.is_settled:
                    break
    quoting, example = votes.winner()
    return quoting, [f"quoting {quoting}, by {example}"] if example else []
