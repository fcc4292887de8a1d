from __future__ import annotations

import datetime
import uuid
from typing import (
    Annotated,
    Any,
    List,
    Literal,
    Optional,
    TypedDict,
)
from typing_extensions import NotRequired, TypeAlias

from pydantic import BaseModel, Field, JsonValue

PublicPickupKind: TypeAlias = Literal["ride", "parcel", "pool"]

PublicPickupStatus: TypeAlias = Literal["requested", "assigned", "picked_up", "completed", "cancelled"]

class PublicPickupRequests(BaseModel):
    cancel_reason: Optional[str] = Field(alias="cancel_reason")
    cancelled_at: Optional[datetime.datetime] = Field(alias="cancelled_at")
    client_key: str = Field(alias="client_key")
    completed_at: Optional[datetime.datetime] = Field(alias="completed_at")
    dest_lat: float = Field(alias="dest_lat")
    dest_lng: float = Field(alias="dest_lng")
    estimate_seconds: int = Field(alias="estimate_seconds")
    eta_high_seconds: Optional[int] = Field(alias="eta_high_seconds")
    eta_low_seconds: Optional[int] = Field(alias="eta_low_seconds")
    eta_model_version: Optional[str] = Field(alias="eta_model_version")
    eta_seconds: int = Field(alias="eta_seconds")
    eta_source: str = Field(alias="eta_source")
    id: uuid.UUID = Field(alias="id")
    kind: PublicPickupKind = Field(alias="kind")
    origin_lat: float = Field(alias="origin_lat")
    origin_lng: float = Field(alias="origin_lng")
    picked_up_at: Optional[datetime.datetime] = Field(alias="picked_up_at")
    requested_at: datetime.datetime = Field(alias="requested_at")
    status: PublicPickupStatus = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicPickupRequestsInsert(TypedDict):
    cancel_reason: NotRequired[Annotated[Optional[str], Field(alias="cancel_reason")]]
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    client_key: Annotated[str, Field(alias="client_key")]
    completed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="completed_at")]]
    dest_lat: Annotated[float, Field(alias="dest_lat")]
    dest_lng: Annotated[float, Field(alias="dest_lng")]
    estimate_seconds: Annotated[int, Field(alias="estimate_seconds")]
    eta_high_seconds: NotRequired[Annotated[Optional[int], Field(alias="eta_high_seconds")]]
    eta_low_seconds: NotRequired[Annotated[Optional[int], Field(alias="eta_low_seconds")]]
    eta_model_version: NotRequired[Annotated[Optional[str], Field(alias="eta_model_version")]]
    eta_seconds: Annotated[int, Field(alias="eta_seconds")]
    eta_source: NotRequired[Annotated[str, Field(alias="eta_source")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[PublicPickupKind, Field(alias="kind")]]
    origin_lat: Annotated[float, Field(alias="origin_lat")]
    origin_lng: Annotated[float, Field(alias="origin_lng")]
    picked_up_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="picked_up_at")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    status: NotRequired[Annotated[PublicPickupStatus, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicPickupRequestsUpdate(TypedDict):
    cancel_reason: NotRequired[Annotated[Optional[str], Field(alias="cancel_reason")]]
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    client_key: NotRequired[Annotated[str, Field(alias="client_key")]]
    completed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="completed_at")]]
    dest_lat: NotRequired[Annotated[float, Field(alias="dest_lat")]]
    dest_lng: NotRequired[Annotated[float, Field(alias="dest_lng")]]
    estimate_seconds: NotRequired[Annotated[int, Field(alias="estimate_seconds")]]
    eta_high_seconds: NotRequired[Annotated[Optional[int], Field(alias="eta_high_seconds")]]
    eta_low_seconds: NotRequired[Annotated[Optional[int], Field(alias="eta_low_seconds")]]
    eta_model_version: NotRequired[Annotated[Optional[str], Field(alias="eta_model_version")]]
    eta_seconds: NotRequired[Annotated[int, Field(alias="eta_seconds")]]
    eta_source: NotRequired[Annotated[str, Field(alias="eta_source")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[PublicPickupKind, Field(alias="kind")]]
    origin_lat: NotRequired[Annotated[float, Field(alias="origin_lat")]]
    origin_lng: NotRequired[Annotated[float, Field(alias="origin_lng")]]
    picked_up_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="picked_up_at")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    status: NotRequired[Annotated[PublicPickupStatus, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicPredictionOutcomes(BaseModel):
    id: int = Field(alias="id")
    observed_at: datetime.datetime = Field(alias="observed_at")
    owner_id: Optional[uuid.UUID] = Field(alias="owner_id")
    predicted: Optional[JsonValue] = Field(alias="predicted")
    prediction: str = Field(alias="prediction")
    prediction_id: Optional[int] = Field(alias="prediction_id")
    row_key: str = Field(alias="row_key")
    truth: JsonValue = Field(alias="truth")

class PublicPredictionOutcomesInsert(TypedDict):
    id: NotRequired[Annotated[int, Field(alias="id")]]
    observed_at: NotRequired[Annotated[datetime.datetime, Field(alias="observed_at")]]
    owner_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="owner_id")]]
    predicted: NotRequired[Annotated[Optional[JsonValue], Field(alias="predicted")]]
    prediction: Annotated[str, Field(alias="prediction")]
    prediction_id: NotRequired[Annotated[Optional[int], Field(alias="prediction_id")]]
    row_key: Annotated[str, Field(alias="row_key")]
    truth: Annotated[JsonValue, Field(alias="truth")]

class PublicPredictionOutcomesUpdate(TypedDict):
    id: NotRequired[Annotated[int, Field(alias="id")]]
    observed_at: NotRequired[Annotated[datetime.datetime, Field(alias="observed_at")]]
    owner_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="owner_id")]]
    predicted: NotRequired[Annotated[Optional[JsonValue], Field(alias="predicted")]]
    prediction: NotRequired[Annotated[str, Field(alias="prediction")]]
    prediction_id: NotRequired[Annotated[Optional[int], Field(alias="prediction_id")]]
    row_key: NotRequired[Annotated[str, Field(alias="row_key")]]
    truth: NotRequired[Annotated[JsonValue, Field(alias="truth")]]

class PublicPredictions(BaseModel):
    attempts: int = Field(alias="attempts")
    created_at: datetime.datetime = Field(alias="created_at")
    error: Optional[str] = Field(alias="error")
    id: int = Field(alias="id")
    input_hash: Optional[bytes] = Field(alias="input_hash")
    interval_high: Optional[float] = Field(alias="interval_high")
    interval_low: Optional[float] = Field(alias="interval_low")
    latency_ms: Optional[float] = Field(alias="latency_ms")
    model: str = Field(alias="model")
    model_version: Optional[str] = Field(alias="model_version")
    output: Optional[JsonValue] = Field(alias="output")
    owner_id: Optional[uuid.UUID] = Field(alias="owner_id")
    prediction: str = Field(alias="prediction")
    request_id: Optional[str] = Field(alias="request_id")
    row_key: str = Field(alias="row_key")
    source_table: str = Field(alias="source_table")
    status: str = Field(alias="status")

class PublicPredictionsInsert(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error: NotRequired[Annotated[Optional[str], Field(alias="error")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    input_hash: NotRequired[Annotated[Optional[bytes], Field(alias="input_hash")]]
    interval_high: NotRequired[Annotated[Optional[float], Field(alias="interval_high")]]
    interval_low: NotRequired[Annotated[Optional[float], Field(alias="interval_low")]]
    latency_ms: NotRequired[Annotated[Optional[float], Field(alias="latency_ms")]]
    model: Annotated[str, Field(alias="model")]
    model_version: NotRequired[Annotated[Optional[str], Field(alias="model_version")]]
    output: NotRequired[Annotated[Optional[JsonValue], Field(alias="output")]]
    owner_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="owner_id")]]
    prediction: Annotated[str, Field(alias="prediction")]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_key: Annotated[str, Field(alias="row_key")]
    source_table: Annotated[str, Field(alias="source_table")]
    status: Annotated[str, Field(alias="status")]

class PublicPredictionsUpdate(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error: NotRequired[Annotated[Optional[str], Field(alias="error")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    input_hash: NotRequired[Annotated[Optional[bytes], Field(alias="input_hash")]]
    interval_high: NotRequired[Annotated[Optional[float], Field(alias="interval_high")]]
    interval_low: NotRequired[Annotated[Optional[float], Field(alias="interval_low")]]
    latency_ms: NotRequired[Annotated[Optional[float], Field(alias="latency_ms")]]
    model: NotRequired[Annotated[str, Field(alias="model")]]
    model_version: NotRequired[Annotated[Optional[str], Field(alias="model_version")]]
    output: NotRequired[Annotated[Optional[JsonValue], Field(alias="output")]]
    owner_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="owner_id")]]
    prediction: NotRequired[Annotated[str, Field(alias="prediction")]]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_key: NotRequired[Annotated[str, Field(alias="row_key")]]
    source_table: NotRequired[Annotated[str, Field(alias="source_table")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]

class PublicProfiles(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    display_name: Optional[str] = Field(alias="display_name")
    id: uuid.UUID = Field(alias="id")
    updated_at: datetime.datetime = Field(alias="updated_at")

class PublicProfilesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: Annotated[uuid.UUID, Field(alias="id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]

class PublicProfilesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]





class PublicEtaQuote(BaseModel):
    eta_seconds: Optional[int] = Field(alias="eta_seconds")
    distance_metres: Optional[int] = Field(alias="distance_metres")
    eta_source: Optional[str] = Field(alias="eta_source")

class PublicHealthReport(BaseModel):
    status: Optional[str] = Field(alias="status")
    service: Optional[str] = Field(alias="service")
    database: Optional[str] = Field(alias="database")
    queue_depth: Optional[int] = Field(alias="queue_depth")
    oldest_job_seconds: Optional[float] = Field(alias="oldest_job_seconds")
    workers_alive: Optional[int] = Field(alias="workers_alive")
    last_heartbeat_at: Optional[datetime.datetime] = Field(alias="last_heartbeat_at")
    last_prediction_at: Optional[datetime.datetime] = Field(alias="last_prediction_at")
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")
    pending: Optional[int] = Field(alias="pending")
    background: Optional[int] = Field(alias="background")
    waiting: Optional[int] = Field(alias="waiting")
    running: Optional[int] = Field(alias="running")
    per_second: Optional[float] = Field(alias="per_second")
    dead_letters: Optional[int] = Field(alias="dead_letters")
    predictions: Optional[JsonValue] = Field(alias="predictions")

class PublicHealthStatus(BaseModel):
    status: Optional[str] = Field(alias="status")
    service: Optional[str] = Field(alias="service")
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")

class PublicPredictionState(BaseModel):
    prediction: Optional[str] = Field(alias="prediction")
    row_key: Optional[str] = Field(alias="row_key")
    status: Optional[str] = Field(alias="status")
    reason: Optional[str] = Field(alias="reason")
    attempts: Optional[int] = Field(alias="attempts")
    since: Optional[datetime.datetime] = Field(alias="since")
    next_try_at: Optional[datetime.datetime] = Field(alias="next_try_at")
