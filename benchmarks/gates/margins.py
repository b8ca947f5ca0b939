"""How far the measures of clean nights stay from what would refuse them."""

from dataclasses import dataclass, field

import click

from gpt4rec_es.night.publish.gates import Examination


@dataclass
class Margins:
    """Clean nights of a shop: their number, refusals, and the range of each measure."""

    shop: str
    nights: int = 0
    refused: list[str] = field(default_factory=list)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    last: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: list[tuple[float, float]] = field(default_factory=list)

    def add(self, found: Examination, seconds: tuple[float, float]) -> None:
        """Count a night; seconds: of the night, and of its check."""
        self.nights += 1
        self.seconds.append(seconds)
        for result in found.results:
            self.last[result.gate] = (result.measured, result.required)
            if not result.passed:
                kind = "refused" if result.is_blocking else "warned"
                said = f"night {self.nights} is {kind} by {result.gate}: {result.measured}"
                click.echo(f"{self.shop}: {said}; required {result.required}", err=True)
                if result.is_blocking:
                    self.refused.append(said)
        for name, one in found.measures.items():
            if one.value is not None:
                low, high = self.ranges.get(name, (one.value, one.value))
                self.ranges[name] = (min(low, one.value), max(high, one.value))

    def show(self) -> None:
        """Print the range of each measure over the nights, and refusals."""
        click.echo(f"\n{self.shop}: {self.nights} clean nights, {len(self.refused)} refused")
        night, check = map(sum, zip(*self.seconds, strict=True))
        click.echo(f"All gates take {check / night:.0%} of these small nights ({check:.1f} s).")
        click.echo("\n| measure | lowest | highest |\n|---|---:|---:|")
        for name, (low, high) in sorted(self.ranges.items()):
            click.echo(f"| {name} | {low:.4g} | {high:.4g} |")
        click.echo("\n| gate | last night | required |\n|---|---|---|")
        for gate, (measured, required) in self.last.items():
            click.echo(f"| {gate} | {measured} | {required} |")
        for one in self.refused:
            click.echo(f"REFUSED: {one}")
