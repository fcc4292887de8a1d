"""The ETA model under Ray Serve, by the Open Inference Protocol v2 with a JSON text per row.

`PYTHONPATH=py python examples/serving/eta.py` serves it on port 8000 of this machine, or on $PORT.
"""

import json
import os
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from starlette.responses import JSONResponse

from rowcast import models

routes = FastAPI()


@serve.deployment
@serve.ingress(routes)
class Eta:
    """One replica; `num_replicas` or an autoscaling configuration makes more of them."""

    def __init__(self) -> None:
        self._model = models.load("eta")

    @routes.post("/v2/models/eta/infer")
    def infer(self, request: dict[str, Any]) -> Any:
        """Answer a batch: the tensor `input` holds the rows, the tensor `output` the answers."""
        try:
            (tensor,) = request["inputs"]
            rows = [json.loads(text) for text in tensor["data"]]
            answers = self._model.predict(rows)
        except (KeyError, TypeError, ValueError) as fault:  # an InputError is a ValueError
            return JSONResponse({"error": str(fault)}, 400)
        # Rowcast takes `low` and `high` out of the object for the interval.
        texts = [json.dumps({**one.output, "low": one.low, "high": one.high}) for one in answers]
        output = {"name": "output", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
        return {"model_name": "eta", "model_version": self._model.version, "outputs": [output]}


app = Eta.bind()

if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ.get("PORT", "8000"))})
    serve.run(app, blocking=True)
