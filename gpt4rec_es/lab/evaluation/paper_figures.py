"""The figures of the GPT4Rec paper (arXiv 2304.03879v1, tables 1 and 3), to print beside ours.

They are for the paper's own draw of users from Amazon's Beauty and Electronics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LENGTHS = (5, 10, 20, 40)
# Numbers of queries m; there are cells for m <= K alone.
QUERIES = (5, 10, 20, 40)
# The paper's baselines, by the names of ours.
COMPARED = ("fm_bpr", "content_rec", "youtube_dnn", "bert4rec")

# By metric, then by baseline or number of queries: values from the smallest K on.
_Figures = Mapping[str, Mapping[str | int, Sequence[float]]]
PAPER: Mapping[str, _Figures] = {
    "beauty": {
        "recall": {
            "fm_bpr": (0.0356, 0.0499, 0.0716, 0.1040),
            "content_rec": (0.0254, 0.0440, 0.0644, 0.0952),
            "youtube_dnn": (0.0376, 0.0549, 0.0753, 0.1066),
            "bert4rec": (0.0355, 0.0513, 0.0816, 0.1161),
            5: (0.0653, 0.0810, 0.1027, 0.1297),
            10: (0.1036, 0.1252, 0.1522),
            20: (0.1454, 0.1743),
            40: (0.2040,),
        },
        "diversity_category": {
            5: (0.679, 0.654, 0.659, 0.679),
            10: (0.716, 0.706, 0.715),
            20: (0.749, 0.749),
            40: (0.783,),
        },
        "coverage_category": {
            5: (0.417, 0.472, 0.535, 0.614),
            10: (0.547, 0.602, 0.669),
            20: (0.674, 0.726),
            40: (0.787,),
        },
    },
    "electronics": {
        "recall": {
            "fm_bpr": (0.0345, 0.0387, 0.0441, 0.0505),
            "content_rec": (0.0241, 0.0307, 0.0391, 0.0494),
            "youtube_dnn": (0.0352, 0.0435, 0.0539, 0.0684),
            "bert4rec": (0.0362, 0.0451, 0.0573, 0.0751),
            5: (0.0434, 0.0480, 0.0524, 0.0574),
            10: (0.0545, 0.0607, 0.0672),
            20: (0.0705, 0.0788),
            40: (0.0918,),
        },
        "diversity_category": {
            5: (0.671, 0.617, 0.605, 0.601),
            10: (0.733, 0.703, 0.696),
            20: (0.778, 0.762),
            40: (0.811,),
        },
        "coverage_category": {
            5: (0.321, 0.340, 0.364, 0.389),
            10: (0.425, 0.447, 0.474),
            20: (0.537, 0.562),
            40: (0.653,),
        },
        "diversity_brand": {
            5: (0.534, 0.529, 0.559, 0.604),
            10: (0.643, 0.645, 0.669),
            20: (0.717, 0.724),
            40: (0.767,),
        },
        "coverage_brand": {
            5: (0.173, 0.177, 0.184, 0.197),
            10: (0.239, 0.245, 0.255),
            20: (0.317, 0.324),
            40: (0.403,),
        },
    },
}


@dataclass(frozen=True, slots=True)
class PaperFigures:
    """Figures of one of the paper's data sets; ``data`` None: none are given."""

    data: str | None

    def value(self, metric: str, method: str, m: int | None, k: int) -> float | None:
        """Return the paper's figure of a cell; None: it has none.

        m: number of queries of method ``queries``.
        """
        if self.data is None or k not in LENGTHS:
            return None
        key = m if method == "queries" else method
        values = PAPER[self.data].get(metric, {}).get(key or "", ())
        first = LENGTHS.index(m) if method == "queries" and m in LENGTHS else 0
        place = LENGTHS.index(k) - first
        return values[place] if 0 <= place < len(values) else None
