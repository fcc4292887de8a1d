"""Each protocol against a server that keeps to its specification."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.models import InputError, Prediction
from rowcast.remote import RemoteError, Reply
from rowcast.remote.addresses import below
from rowcast.remote.answers import prediction
from rowcast.service.batch import problem_of

if TYPE_CHECKING:
    from tests.remote.conftest import Ask

# -- Open Inference v2 -------------------------------------------------------------------------


async def test_columns_go_out_as_tensors_and_come_back_as_fields(remote: Ask) -> None:
    reply = await remote("open-inference", options={"name": "add"}).predict(
        [{"a": 1, "b": 2.5}, {"a": 4, "b": -1}]
    )
    assert reply == Reply(
        [
            Prediction(
                {"sum": 3.5, "pair": [1, 2.5], "nested": [1, 2.5], "larger": "b"}, low=1, high=2.5
            ),
            Prediction(
                {"sum": 3, "pair": [4, -1], "nested": [4, -1], "larger": "a"}, low=-1, high=4
            ),
        ],
        version="1",
    )


async def test_one_row_is_a_batch_too(remote: Ask) -> None:
    reply = await remote("open-inference", options={"name": "add"}).predict([{"a": 1, "b": 2}])
    assert reply.predictions[0].output["pair"] == [1, 2]
    assert reply.predictions[0].output["sum"] == 3


async def test_the_version_asked_for_is_asked(remote: Ask) -> None:
    options = {"name": "add", "version": "2"}
    assert (await remote("open-inference", "/", options).predict([{"a": 1, "b": 2}])).version == "2"


async def types_of(remote: Ask, rows: list[Any], **options: Any) -> dict[str, str]:
    model = remote("open-inference", options={"name": "types", **options})
    seen: dict[str, str] = (await model.predict(rows)).predictions[0].output
    return seen


async def test_datatypes_follow_the_values(remote: Ask) -> None:
    rows = [{"i": 1, "f": 2.5, "mixed": 1, "b": True, "t": "x"},
            {"i": 2, "f": 3.5, "mixed": 1.5, "b": False, "t": "y"}]  # fmt: skip
    wanted = {"i": "INT64", "f": "FP64", "mixed": "FP64", "b": "BOOL", "t": "BYTES"}
    assert await types_of(remote, rows) == wanted


async def test_a_datatype_can_be_set(remote: Ask) -> None:
    assert await types_of(remote, [{"i": 1}], datatypes={"i": "FP32"}) == {"i": "FP32"}


@pytest.mark.parametrize(
    ("row", "datatypes", "sentence"),
    [
        ({"a": None, "b": 1}, {}, "a is missing"),
        ({"b": 1}, {}, "a is missing"),
        ({"a": float("nan"), "b": 1}, {}, "a is not of datatype FP64"),
        ({"a": 2**63, "b": 1}, {}, "a is not of datatype INT64"),
        ({"a": 10**400, "b": 1}, {"a": "FP64"}, "a is not of datatype FP64"),
        ({"a": 1.5, "b": 1}, {"a": "INT64"}, "a is not of datatype INT64"),
        ({"a": True, "b": 1}, {"a": "FP64"}, "a is not of datatype FP64"),
        ({"a": "x", "b": 1}, {"a": "FP64"}, "a is not of datatype FP64"),
        ({"a": {"deep": 1}, "b": 1}, {}, "a is not a number, a text or a boolean"),
    ],
)
async def test_a_row_that_fits_no_tensor_is_blamed_alone(
    remote: Ask, row: dict[str, Any], datatypes: dict[str, str], sentence: str
) -> None:
    model = remote("open-inference", options={"name": "add", "datatypes": datatypes})
    good = {"a": 1, "b": 1}
    with pytest.raises(InputError, match=sentence) as blamed:
        await model.predict([good, good, row])
    assert blamed.value.index == 2


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"a": "x"}, {"a": 1}], "the rows have different types of a"),
        ([{"a": True}, {"a": 1}], "the rows have different types of a"),
        ([{"a": 1}, {"z": 1}], "the inputs have no fields in common"),
        ([{"a": 1}, {"a": 1, "z": 1}], "the rows do not have the same fields"),
        ([{}], "the inputs have no fields in common"),
    ],
)
async def test_rows_that_disagree_are_a_fault_of_the_batch_and_not_of_either(
    remote: Ask, rows: list[Any], sentence: str
) -> None:
    with pytest.raises(RemoteError, match=sentence):
        await remote("open-inference", options={"name": "add"}).predict(rows)


async def test_json_rows_go_both_ways(remote: Ask) -> None:
    rows: list[Any] = [{"a": {"deep": [1, None]}}, {"ü": "\u2028"}]
    model = remote("open-inference", options={"name": "rows", "encoding": "json"})
    assert (await model.predict(rows)).predictions == [
        Prediction({"row": row}, low=1, high=2) for row in rows
    ]


async def test_an_output_that_is_no_json_object_spoils_its_row_only(remote: Ask) -> None:
    model = remote("open-inference", options={"name": "labels", "encoding": "json"})
    spoilt, good = (await model.predict([{}, {}])).predictions
    assert problem_of(spoilt) == "WRONG_SHAPE: the output is not an object"
    assert good == Prediction({"ok": True})


def test_a_bound_that_is_no_number_is_refused() -> None:
    for bound in (True, "1", [1]):
        with pytest.raises(RemoteError, match="WRONG_SHAPE: low is not a number"):
            prediction({"score": 1, "low": bound})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("short", "WRONG_LENGTH: sum holds 1 values, not 2"),
        ("torn", "WRONG_LENGTH: sum holds 2 values, not 6"),
        ("hollow", "WRONG_SHAPE: sum is neither"),
        ("cube", "WRONG_SHAPE: sum is neither"),
        ("scalar", "WRONG_SHAPE: sum is neither"),
        ("ragged", "WRONG_SHAPE: sum does not have the shape that it says"),
        ("nothing", "WRONG_SHAPE: there are no output tensors"),
    ],
)
async def test_tensors_that_are_not_a_value_or_a_list_per_row_are_refused(
    remote: Ask, name: str, problem: str
) -> None:
    with pytest.raises(RemoteError, match=problem):
        await remote("open-inference", options={"name": name}).predict([{"a": 1}, {"a": 2}])


def test_a_name_is_one_part_of_the_address() -> None:
    assert below("http://h/x/?y=1", "v2", "a/b \u00e9?") == "http://h/x/v2/a%2Fb%20%C3%A9%3F?y=1"


# -- embeddings --------------------------------------------------------------------------------


async def test_embeddings_come_back_in_the_order_of_the_texts(remote: Ask) -> None:
    reply = await remote("openai", "/v1", {"model": "m"}).predict(
        [{"text": "one"}, {"text": "three words here", "id": 7}]
    )
    assert reply == Reply(
        [Prediction({"embedding": [3.0, 0.5, 3.0]}), Prediction({"embedding": [16.0, 0.5, 16.0]})],
        tokens=4,
        version="m-2",
    )


async def test_field_and_dimensions_are_options(remote: Ask) -> None:
    options = {"field": "body", "dimensions": 2}
    reply = await remote("openai", "/v1/", options).predict([{"body": "abc", "text": ""}])
    assert reply.predictions == [Prediction({"embedding": [3.0, 0.5]})]
    assert reply.version == "eta-2"  # our name, where no other is given


@pytest.mark.parametrize("item", [{}, {"text": None}, {"text": ""}, {"text": " \n"}, {"text": 3}])
async def test_an_item_without_text_is_blamed_alone(remote: Ask, item: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="text is missing, empty or not a text") as blamed:
        await remote("openai", "/v1").predict([{"text": "good"}, item])
    assert blamed.value.index == 1


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("short", "WRONG_LENGTH: 1 answers to 2 inputs"),
        ("twice", "the indexes are not those of the inputs"),
        ("ignores-dimensions", "3 dimensions, not 2"),
    ],
)
async def test_vectors_that_are_not_those_asked_for_are_refused(
    remote: Ask, model: str, sentence: str
) -> None:
    asked = remote("openai", "/v1", {"model": model, "dimensions": 2})
    with pytest.raises(RemoteError, match=sentence):
        await asked.predict([{"text": "a"}, {"text": "b"}])


# -- plain JSON --------------------------------------------------------------------------------


async def test_plain_json_goes_both_ways(remote: Ask) -> None:
    reply = await remote("plain", "/plain").predict([{"x": 3}, {"x": 5}])
    assert reply == Reply(
        [Prediction({"score": 3}, low=2, high=4), Prediction({"score": 5}, low=4, high=6)],
        tokens=7,
        version="v3",
    )


async def test_an_items_error_blames_that_item(remote: Ask) -> None:
    with pytest.raises(InputError) as blamed:
        await remote("plain", "/plain").predict([{"x": 3}, {"blame": "x is no good"}])
    assert (blamed.value.index, blamed.value.message) == (1, "x is no good")


async def test_the_request_is_what_the_document_says(remote: Ask) -> None:
    (answer,) = (await remote("plain", "/mirror?tier=2").predict([{"x": 3}])).predictions
    assert answer.output["body"] == {"model": "eta", "inputs": [{"x": 3}]}
    assert answer.output["target"] == "mirror?tier=2"
    assert answer.output["headers"]["content-type"] == "application/json"
    assert "authorization" not in answer.output["headers"]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("nan", "NOT_FINITE"), ("no-object", "WRONG_SHAPE: the output is not an object")],
)
async def test_an_output_that_cannot_be_stored_reaches_the_check_of_outputs(
    remote: Ask, kind: str, problem: str
) -> None:
    (answer,) = (await remote("plain", f"/fault/{kind}").predict([{"x": 3}])).predictions
    assert (problem_of(answer) or "").startswith(problem)


async def test_no_inputs_ask_nobody(remote: Ask) -> None:
    assert await remote("plain", "http://127.0.0.1:1/").predict([]) == Reply([])


# -- the connection ----------------------------------------------------------------------------


async def test_a_connection_is_used_again(remote: Ask) -> None:
    model = remote("plain", "/mirror")
    replies = [await model.predict([{}]) for _ in range(3)]
    assert len({reply.predictions[0].output["port"] for reply in replies}) == 1


async def test_calls_run_side_by_side(remote: Ask) -> None:
    model = remote("plain", "/mirror")
    replies = await asyncio.gather(*(model.predict([{"i": i}]) for i in range(8)))
    sent = [reply.predictions[0].output["body"]["inputs"] for reply in replies]
    assert sent == [[{"i": i}] for i in range(8)]


async def test_a_servers_cookie_is_not_sent_back(remote: Ask) -> None:
    model = remote("plain", "/mirror")
    await model.predict([{}])
    assert "cookie" not in json.dumps((await model.predict([{}])).predictions[0].output)
