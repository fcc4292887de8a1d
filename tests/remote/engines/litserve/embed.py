"""An embeddings model for LitServe that tells the length of its texts."""

from __future__ import annotations

import os

import litserve
from litserve.specs import OpenAIEmbeddingSpec


class Embed(litserve.LitAPI):
    def setup(self, device: str) -> None:
        """Nothing to load."""

    def predict(self, inputs: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in inputs]


if __name__ == "__main__":
    server = litserve.LitServer(Embed(spec=OpenAIEmbeddingSpec()), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
