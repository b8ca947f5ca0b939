"""The folder beside an output in which an unfinished training keeps its state."""

from pathlib import Path

from gpt4rec_es.errors import UsageError


def resumed_folder(output: Path, fingerprint: str) -> Path:
    """Return the folder of the state of an earlier, killed call, or a new one.

    fingerprint: hash of all that decides the result.

    Raises:
        UsageError: the state there is that of another training.
    """
    work = output.with_name(f".{output.name}.training")
    note = work / "fingerprint"
    if note.is_file() and note.read_text() != fingerprint:
        raise UsageError(
            f"{work} holds an unfinished training with other options or data.",
            "Call it as before to finish it, or remove that folder.",
        )
    work.mkdir(parents=True, exist_ok=True)
    note.write_text(fingerprint)
    return work
