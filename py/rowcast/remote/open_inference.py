"""The Open Inference Protocol v2 over REST: MLServer, KServe, Triton and others speak it.

Asked:    POST {url}/v2/models/{name}[/versions/{version}]/infer
          {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 2.5]}]}
Answered: {"model_name": "m", "model_version": "7",
           "outputs": [{"name": "score", "shape": [2], "datatype": "FP64", "data": [3.0, 5.0]}]}
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field
from pydantic_core import from_json

from rowcast.models import InputError, Prediction, Reply
from rowcast.remote import options as common
from rowcast.remote.addresses import below
from rowcast.remote.answers import Answer, RemoteError, parse, prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Inputs = Sequence[Mapping[str, Any]]

Datatype = Literal["BOOL", "INT32", "INT64", "FP32", "FP64", "BYTES"]
_BITS = {"INT32": 31, "INT64": 63}


class OpenInferenceOptions(common.Options):
    """Options of the protocol `open-inference`."""

    name: str | None = Field(default=None, min_length=1)
    """The server's name for the model; by default ours."""
    version: str | None = Field(default=None, min_length=1)
    """Which version to ask; by default the server chooses."""
    encoding: Literal["columns", "json"] = "columns"
    """`columns`: a tensor per field of the input. `json`: one tensor `input` with a JSON text per
    row, for inputs that are not flat."""
    datatypes: dict[str, Datatype] = Field(default_factory=dict)
    """For `columns`: the datatype of a field, where the values alone do not tell it for sure."""


class _Tensor(Answer):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class _Answer(Answer):
    outputs: list[_Tensor]
    model_version: str | None = None


class OpenInference:
    """The protocol `open-inference`."""

    Options = OpenInferenceOptions

    def __init__(self, model: str, url: str, options: common.Options) -> None:
        self._options = cast("OpenInferenceOptions", options)
        version = self._options.version
        versions = () if version is None else ("versions", version)
        self.url = below(url, "v2", "models", self._options.name or model, *versions, "infer")

    def body(self, inputs: Inputs) -> dict[str, Any]:
        """The request for a batch; raises `InputError` for an item that fits no tensor."""
        if self._options.encoding == "json":
            texts = [json.dumps(item, allow_nan=False) for item in inputs]
            return {"inputs": [_tensor("input", "BYTES", texts)]}
        return {"inputs": [self._column(name, inputs) for name in _fields(inputs)]}

    def _column(self, name: str, inputs: Inputs) -> dict[str, Any]:
        values = [item.get(name) for item in inputs]
        kinds = [_kind(index, name, value) for index, value in enumerate(values)]
        datatype = self._options.datatypes.get(name) or _datatype(name, set(kinds))
        for index, (value, kind) in enumerate(zip(values, kinds, strict=True)):
            if not _fits(value, kind, datatype):
                raise InputError(index, f"{name} is not of datatype {datatype}")
        return _tensor(name, datatype, values)

    def reply(self, content: bytes, count: int) -> Reply:
        """Each row's part of every output tensor, by the tensor's name."""
        answer = parse(_Answer, content)
        if not answer.outputs:
            raise RemoteError("WRONG_SHAPE: there are no output tensors")
        columns = {tensor.name: _rows(tensor, count) for tensor in answer.outputs}
        if list(columns) == ["output"] and answer.outputs[0].datatype == "BYTES":
            predictions = [_unpacked(text) for text in columns["output"]]
        else:
            rows = zip(*columns.values(), strict=True)
            predictions = [prediction(dict(zip(columns, row, strict=True))) for row in rows]
        return Reply(predictions, version=answer.model_version)


# -- asking ------------------------------------------------------------------------------------


def _tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": [len(data), 1], "datatype": datatype, "data": data}


def _fields(inputs: Inputs) -> list[str]:
    """The fields that the rows have in common; a row that lacks what most have is to blame."""
    held = Counter(name for item in inputs for name in item)
    most = [name for name, count in held.items() if 2 * count > len(inputs)]
    for index, item in enumerate(inputs):
        for name in most:
            if name not in item:
                raise InputError(index, f"{name} is missing")
    if not most:
        raise RemoteError("the inputs have no fields in common")
    if len(most) < len(held):
        # Nobody can say who is right. Halves of this batch may agree.
        raise RemoteError("the rows do not have the same fields")
    return most


def _kind(index: int, name: str, value: Any) -> str:
    if value is None:
        raise InputError(index, f"{name} is missing")
    for kind, types in (("BOOL", bool), ("INT64", int), ("FP64", float), ("BYTES", str)):
        if isinstance(value, types):
            return kind
    raise InputError(index, f"{name} is not a number, a text or a boolean")


def _datatype(name: str, kinds: set[str]) -> str:
    if kinds == {"INT64", "FP64"}:
        return "FP64"
    if len(kinds) > 1:
        raise RemoteError(f"the rows have different types of {name}")
    return next(iter(kinds))


def _fits(value: Any, kind: str, datatype: str) -> bool:
    if datatype in _BITS:
        bits = _BITS[datatype]
        return kind == "INT64" and -(2**bits) <= value < 2**bits
    if datatype in ("FP32", "FP64"):
        return kind in ("INT64", "FP64") and abs(value) <= sys.float_info.max
    return kind == datatype


# -- answering ---------------------------------------------------------------------------------


def _rows(tensor: _Tensor, count: int) -> list[Any]:
    """A value per row from shape [n] or [n, 1], a list per row from [n, k]."""
    if len(tensor.shape) not in (1, 2) or tensor.shape[-1] < 1:
        raise RemoteError(f"WRONG_SHAPE: {tensor.name} is neither [n] nor [n, k]")
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    data = tensor.data
    if any(isinstance(row, list) for row in data):  # servers may nest the data or not
        if not all(isinstance(row, list) and len(row) == width for row in data):
            raise RemoteError(f"WRONG_SHAPE: {tensor.name} does not have the shape that it says")
        data = [value for row in data for value in row]
    if len(data) != count * width:
        raise RemoteError(
            f"WRONG_LENGTH: {tensor.name} holds {len(data)} values, not {count * width}"
        )
    if width == 1:
        return data
    return [data[start : start + width] for start in range(0, len(data), width)]


def _unpacked(text: Any) -> Prediction:
    """The JSON object of one row; anything else spoils the output of that row only."""
    try:
        output = from_json(text)
    except (ValueError, TypeError):
        output = text
    return prediction(output) if isinstance(output, dict) else Prediction(output)
