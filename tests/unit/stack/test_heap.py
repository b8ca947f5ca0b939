from pathlib import Path

import pytest

from gpt4rec_es.stack.elasticsearch import memory_bytes, usual_heap_mb


@pytest.mark.parametrize(("gigabytes", "heap_mb"), [(2, 512), (8, 1024), (12, 1536), (256, 2048)])
def test_the_heap_grows_with_the_machine_within_bounds(gigabytes: int, heap_mb: int) -> None:
    assert usual_heap_mb(gigabytes * 2**30) == heap_mb


def test_a_container_has_what_it_is_limited_to(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    whole = memory_bytes(limit)
    assert whole > 0
    limit.write_text("max\n")
    assert memory_bytes(limit) == whole
    limit.write_text(f"{whole // 2}\n")
    assert memory_bytes(limit) == whole // 2
    limit.write_text(f"{whole * 2}\n")
    assert memory_bytes(limit) == whole
