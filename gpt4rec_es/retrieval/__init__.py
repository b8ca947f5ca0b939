"""Search of a build for query texts."""

from gpt4rec_es.retrieval.msearch import ElasticRetriever

__all__ = ["ElasticRetriever"]
