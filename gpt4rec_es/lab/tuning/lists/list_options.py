"""Options of tuning a recipe."""

from dataclasses import dataclass, field
from pathlib import Path

from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.tuning.choose import Metric
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.options.recipe import NamedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTuningOptions:
    """Options of tuning a recipe.

    live: the recipe that is compared with. base: the learned recipe that is changed. work: folder
    for what a killed tuning goes on with; removed at the end. trials: number of settings.
    most_users: maximum number of users; a fixed sample if there are more. generator: None: the
    current one, if a recipe writes queries. trust: accept it whatever its card says. seed: of the
    halves of users and of drawn settings. reranker: name of the one to try; None: that of the
    base, if it has one; encoder: the same of encoders. hardware: device and threads of both.
    """

    split: str
    live: NamedRecipe
    base: NamedRecipe
    work: Path
    part: str = "validation"
    generator: str | None = None
    trust: bool = False
    metric: Metric = "ndcg"
    k: int = 10
    trials: int = 40
    most_users: int = 20_000
    seed: int = 0
    reranker: str | None = None
    encoder: str | None = None
    hardware: GeneratorOptions = field(default_factory=GeneratorOptions)

    @property
    def reranker_name(self) -> str | None:
        """The name of the re-ranker to try; None: none."""
        return self.reranker or self.base.recipe.reranker

    @property
    def encoder_name(self) -> str | None:
        """The name of the encoder to try; None: none."""
        return self.encoder or self.base.recipe.encoder

    def evaluation(self, *recipes: NamedRecipe, reranker: str | None = None) -> EvaluateOptions:
        """Return the options of the lists by ``recipes`` that are compared."""
        return EvaluateOptions(
            methods=("product",),
            part=self.part,
            ks=(self.k, 4 * self.k),
            recipes=recipes or (self.live, self.base),
            generator=self.generator,
            trust=self.trust,
            learn_validation=False,
            reranker=reranker,
            hardware=self.hardware,
        )
