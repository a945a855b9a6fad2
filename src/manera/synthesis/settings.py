"""What can be set about a corpus that a model writes."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from manera.text.languages import Language


class SynthesisConfig(BaseModel):
    """Settings of ``[synthesis]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(None, description="name of the model; by default the only one that the server has")
    at_once: int = Field(8, ge=1, le=256, description="questions under way at the same time")
    temperature: float = Field(0.9, ge=0, le=2, description="of the draws; 0 is greedy")
    max_tokens: int = Field(600, ge=16, description="tokens of the longest text; one that is cut off there is dropped")
    min_words: int = Field(20, ge=1, description="words of the shortest text that is kept")
    texts_per_topic: int = Field(1, ge=1, description="texts about each topic")
    shots: int = Field(3, ge=0, le=20, description="texts of the real corpus that each question shows")
    tries: int = Field(3, ge=1, le=10, description="how often a text is asked for until one is kept")
    language: Language | None = Field(None, description="ru or en; by default that of the examples, else of the topics")
    seed: int = Field(0, ge=0, description="seed of the examples that are shown, and of the model's draws")
    prices: Path | None = Field(None, description="file of prices; by default a bundled one")
    budget: float | None = Field(None, gt=0, description="money that may be spent on the corpus, over all runs")
