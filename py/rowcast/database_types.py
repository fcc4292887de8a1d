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

class PublicAppRoles(BaseModel):
    description: str = Field(alias="description")
    name: str = Field(alias="name")

class PublicAppRolesInsert(TypedDict):
    description: Annotated[str, Field(alias="description")]
    name: Annotated[str, Field(alias="name")]

class PublicAppRolesUpdate(TypedDict):
    description: NotRequired[Annotated[str, Field(alias="description")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]

class PublicPermissions(BaseModel):
    description: str = Field(alias="description")
    name: str = Field(alias="name")

class PublicPermissionsInsert(TypedDict):
    description: Annotated[str, Field(alias="description")]
    name: Annotated[str, Field(alias="name")]

class PublicPermissionsUpdate(TypedDict):
    description: NotRequired[Annotated[str, Field(alias="description")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]

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
    avatar_url: Optional[str] = Field(alias="avatar_url")
    created_at: datetime.datetime = Field(alias="created_at")
    display_name: Optional[str] = Field(alias="display_name")
    id: uuid.UUID = Field(alias="id")
    locale: Optional[str] = Field(alias="locale")
    time_zone: Optional[str] = Field(alias="time_zone")
    updated_at: datetime.datetime = Field(alias="updated_at")
    username: Optional[str] = Field(alias="username")

class PublicProfilesInsert(TypedDict):
    avatar_url: NotRequired[Annotated[Optional[str], Field(alias="avatar_url")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: Annotated[uuid.UUID, Field(alias="id")]
    locale: NotRequired[Annotated[Optional[str], Field(alias="locale")]]
    time_zone: NotRequired[Annotated[Optional[str], Field(alias="time_zone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    username: NotRequired[Annotated[Optional[str], Field(alias="username")]]

class PublicProfilesUpdate(TypedDict):
    avatar_url: NotRequired[Annotated[Optional[str], Field(alias="avatar_url")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[Optional[str], Field(alias="locale")]]
    time_zone: NotRequired[Annotated[Optional[str], Field(alias="time_zone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    username: NotRequired[Annotated[Optional[str], Field(alias="username")]]

class PublicRolePermissions(BaseModel):
    permission: str = Field(alias="permission")
    role: str = Field(alias="role")

class PublicRolePermissionsInsert(TypedDict):
    permission: Annotated[str, Field(alias="permission")]
    role: Annotated[str, Field(alias="role")]

class PublicRolePermissionsUpdate(TypedDict):
    permission: NotRequired[Annotated[str, Field(alias="permission")]]
    role: NotRequired[Annotated[str, Field(alias="role")]]

class PublicUserRoles(BaseModel):
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")
    granted_at: datetime.datetime = Field(alias="granted_at")
    granted_by: Optional[uuid.UUID] = Field(alias="granted_by")
    role: str = Field(alias="role")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicUserRolesInsert(TypedDict):
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    granted_at: NotRequired[Annotated[datetime.datetime, Field(alias="granted_at")]]
    granted_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="granted_by")]]
    role: Annotated[str, Field(alias="role")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicUserRolesUpdate(TypedDict):
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    granted_at: NotRequired[Annotated[datetime.datetime, Field(alias="granted_at")]]
    granted_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="granted_by")]]
    role: NotRequired[Annotated[str, Field(alias="role")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]





class PublicAccount(BaseModel):
    id: Optional[uuid.UUID] = Field(alias="id")
    email: Optional[str] = Field(alias="email")
    phone: Optional[str] = Field(alias="phone")
    display_name: Optional[str] = Field(alias="display_name")
    username: Optional[str] = Field(alias="username")
    avatar_url: Optional[str] = Field(alias="avatar_url")
    locale: Optional[str] = Field(alias="locale")
    time_zone: Optional[str] = Field(alias="time_zone")
    roles: Optional[List[str]] = Field(alias="roles")
    permissions: Optional[List[str]] = Field(alias="permissions")
    confirmed: Optional[bool] = Field(alias="confirmed")
    last_sign_in_at: Optional[datetime.datetime] = Field(alias="last_sign_in_at")
    banned_until: Optional[datetime.datetime] = Field(alias="banned_until")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")
    updated_at: Optional[datetime.datetime] = Field(alias="updated_at")

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

class PublicUserPage(BaseModel):
    total: Optional[int] = Field(alias="total")
    page: Optional[int] = Field(alias="page")
    page_size: Optional[int] = Field(alias="page_size")
    users: Optional[List[PublicAccount]] = Field(alias="users")
