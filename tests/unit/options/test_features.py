"""The documentation of features is complete."""

from pathlib import Path

from gpt4rec_es.options.features import CONTEXTS, FEATURES

DOCUMENT = Path(__file__).parents[3] / "docs" / "recipes.md"


def test_every_feature_and_context_is_described_by_its_meaning() -> None:
    text = DOCUMENT.read_text()
    for name, feature in FEATURES.items():
        sources = ", ".join(f"`{source}`" for source in feature.sources)
        assert f"| `{name}` | {sources} | {feature.meaning} |" in text
    for name, meaning in CONTEXTS.items():
        assert f"| `{name}` | {meaning} |" in text
