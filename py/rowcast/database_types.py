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

class PublicDeletionRequests(BaseModel):
    cancelled_at: Optional[datetime.datetime] = Field(alias="cancelled_at")
    due_at: datetime.datetime = Field(alias="due_at")
    reason: Optional[str] = Field(alias="reason")
    requested_at: datetime.datetime = Field(alias="requested_at")
    state: str = Field(alias="state")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicDeletionRequestsInsert(TypedDict):
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    due_at: Annotated[datetime.datetime, Field(alias="due_at")]
    reason: NotRequired[Annotated[Optional[str], Field(alias="reason")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicDeletionRequestsUpdate(TypedDict):
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    due_at: NotRequired[Annotated[datetime.datetime, Field(alias="due_at")]]
    reason: NotRequired[Annotated[Optional[str], Field(alias="reason")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicExportRequests(BaseModel):
    id: uuid.UUID = Field(alias="id")
    requested_at: datetime.datetime = Field(alias="requested_at")
    row_count: int = Field(alias="row_count")
    state: str = Field(alias="state")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicExportRequestsInsert(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    row_count: NotRequired[Annotated[int, Field(alias="row_count")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicExportRequestsUpdate(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    requested_at: NotRequired[Annotated[datetime.datetime, Field(alias="requested_at")]]
    row_count: NotRequired[Annotated[int, Field(alias="row_count")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicFeatureFlags(BaseModel):
    description: str = Field(alias="description")
    enabled: bool = Field(alias="enabled")
    name: str = Field(alias="name")
    updated_at: datetime.datetime = Field(alias="updated_at")
    updated_by: Optional[uuid.UUID] = Field(alias="updated_by")

class PublicFeatureFlagsInsert(TypedDict):
    description: Annotated[str, Field(alias="description")]
    enabled: Annotated[bool, Field(alias="enabled")]
    name: Annotated[str, Field(alias="name")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    updated_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="updated_by")]]

class PublicFeatureFlagsUpdate(TypedDict):
    description: NotRequired[Annotated[str, Field(alias="description")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    updated_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="updated_by")]]

class PublicLoginEvents(BaseModel):
    alarmed: bool = Field(alias="alarmed")
    at: datetime.datetime = Field(alias="at")
    cell_lat: Optional[float] = Field(alias="cell_lat")
    cell_lng: Optional[float] = Field(alias="cell_lng")
    confirmed: Optional[bool] = Field(alias="confirmed")
    confirmed_at: Optional[datetime.datetime] = Field(alias="confirmed_at")
    country: Optional[str] = Field(alias="country")
    device_hash: Optional[bytes] = Field(alias="device_hash")
    id: int = Field(alias="id")
    ip_hash: Optional[bytes] = Field(alias="ip_hash")
    model_version: Optional[str] = Field(alias="model_version")
    reasons: Optional[List[str]] = Field(alias="reasons")
    risk: Optional[float] = Field(alias="risk")
    session_id: Optional[uuid.UUID] = Field(alias="session_id")
    succeeded: bool = Field(alias="succeeded")
    user_agent_family: Optional[str] = Field(alias="user_agent_family")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicLoginEventsInsert(TypedDict):
    alarmed: NotRequired[Annotated[bool, Field(alias="alarmed")]]
    at: NotRequired[Annotated[datetime.datetime, Field(alias="at")]]
    cell_lat: NotRequired[Annotated[Optional[float], Field(alias="cell_lat")]]
    cell_lng: NotRequired[Annotated[Optional[float], Field(alias="cell_lng")]]
    confirmed: NotRequired[Annotated[Optional[bool], Field(alias="confirmed")]]
    confirmed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="confirmed_at")]]
    country: NotRequired[Annotated[Optional[str], Field(alias="country")]]
    device_hash: NotRequired[Annotated[Optional[bytes], Field(alias="device_hash")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    ip_hash: NotRequired[Annotated[Optional[bytes], Field(alias="ip_hash")]]
    model_version: NotRequired[Annotated[Optional[str], Field(alias="model_version")]]
    reasons: NotRequired[Annotated[Optional[List[str]], Field(alias="reasons")]]
    risk: NotRequired[Annotated[Optional[float], Field(alias="risk")]]
    session_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="session_id")]]
    succeeded: Annotated[bool, Field(alias="succeeded")]
    user_agent_family: NotRequired[Annotated[Optional[str], Field(alias="user_agent_family")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicLoginEventsUpdate(TypedDict):
    alarmed: NotRequired[Annotated[bool, Field(alias="alarmed")]]
    at: NotRequired[Annotated[datetime.datetime, Field(alias="at")]]
    cell_lat: NotRequired[Annotated[Optional[float], Field(alias="cell_lat")]]
    cell_lng: NotRequired[Annotated[Optional[float], Field(alias="cell_lng")]]
    confirmed: NotRequired[Annotated[Optional[bool], Field(alias="confirmed")]]
    confirmed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="confirmed_at")]]
    country: NotRequired[Annotated[Optional[str], Field(alias="country")]]
    device_hash: NotRequired[Annotated[Optional[bytes], Field(alias="device_hash")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    ip_hash: NotRequired[Annotated[Optional[bytes], Field(alias="ip_hash")]]
    model_version: NotRequired[Annotated[Optional[str], Field(alias="model_version")]]
    reasons: NotRequired[Annotated[Optional[List[str]], Field(alias="reasons")]]
    risk: NotRequired[Annotated[Optional[float], Field(alias="risk")]]
    session_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="session_id")]]
    succeeded: NotRequired[Annotated[bool, Field(alias="succeeded")]]
    user_agent_family: NotRequired[Annotated[Optional[str], Field(alias="user_agent_family")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicNotifications(BaseModel):
    body: Optional[str] = Field(alias="body")
    created_at: datetime.datetime = Field(alias="created_at")
    data: JsonValue = Field(alias="data")
    id: int = Field(alias="id")
    idempotency_key: Optional[str] = Field(alias="idempotency_key")
    kind: str = Field(alias="kind")
    read_at: Optional[datetime.datetime] = Field(alias="read_at")
    title: str = Field(alias="title")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicNotificationsInsert(TypedDict):
    body: NotRequired[Annotated[Optional[str], Field(alias="body")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    data: NotRequired[Annotated[JsonValue, Field(alias="data")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[Optional[str], Field(alias="idempotency_key")]]
    kind: Annotated[str, Field(alias="kind")]
    read_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="read_at")]]
    title: Annotated[str, Field(alias="title")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicNotificationsUpdate(TypedDict):
    body: NotRequired[Annotated[Optional[str], Field(alias="body")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    data: NotRequired[Annotated[JsonValue, Field(alias="data")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[Optional[str], Field(alias="idempotency_key")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    read_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="read_at")]]
    title: NotRequired[Annotated[str, Field(alias="title")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicPermissions(BaseModel):
    description: str = Field(alias="description")
    name: str = Field(alias="name")
    requires_mfa: bool = Field(alias="requires_mfa")

class PublicPermissionsInsert(TypedDict):
    description: Annotated[str, Field(alias="description")]
    name: Annotated[str, Field(alias="name")]
    requires_mfa: NotRequired[Annotated[bool, Field(alias="requires_mfa")]]

class PublicPermissionsUpdate(TypedDict):
    description: NotRequired[Annotated[str, Field(alias="description")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    requires_mfa: NotRequired[Annotated[bool, Field(alias="requires_mfa")]]

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

class PublicApiKeyState(BaseModel):
    id: Optional[uuid.UUID] = Field(alias="id")
    name: Optional[str] = Field(alias="name")
    prefix: Optional[str] = Field(alias="prefix")
    scopes: Optional[List[str]] = Field(alias="scopes")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")

class PublicAuditChain(BaseModel):
    month: Optional[str] = Field(alias="month")
    entries: Optional[int] = Field(alias="entries")
    redacted: Optional[int] = Field(alias="redacted")
    ok: Optional[bool] = Field(alias="ok")
    first_broken: Optional[int] = Field(alias="first_broken")
    problem: Optional[str] = Field(alias="problem")
    head: Optional[str] = Field(alias="head")

class PublicAuditEntry(BaseModel):
    id: Optional[int] = Field(alias="id")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")
    action: Optional[str] = Field(alias="action")
    table_name: Optional[str] = Field(alias="table_name")
    row_key: Optional[str] = Field(alias="row_key")
    subject_id: Optional[uuid.UUID] = Field(alias="subject_id")
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_role: Optional[str] = Field(alias="actor_role")
    old_values: Optional[JsonValue] = Field(alias="old_values")
    new_values: Optional[JsonValue] = Field(alias="new_values")
    request_id: Optional[str] = Field(alias="request_id")
    is_redacted: Optional[bool] = Field(alias="is_redacted")

class PublicEtaQuote(BaseModel):
    eta_seconds: Optional[int] = Field(alias="eta_seconds")
    distance_metres: Optional[int] = Field(alias="distance_metres")
    eta_source: Optional[str] = Field(alias="eta_source")

class PublicFeatureFlagState(BaseModel):
    name: Optional[str] = Field(alias="name")
    enabled: Optional[bool] = Field(alias="enabled")
    description: Optional[str] = Field(alias="description")
    updated_at: Optional[datetime.datetime] = Field(alias="updated_at")

class PublicHealthDbReport(BaseModel):
    status: Optional[str] = Field(alias="status")
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")
    probe_ms: Optional[float] = Field(alias="probe_ms")
    cache_hit_ratio: Optional[float] = Field(alias="cache_hit_ratio")
    connections: Optional[int] = Field(alias="connections")
    max_connections: Optional[int] = Field(alias="max_connections")
    oldest_transaction_seconds: Optional[float] = Field(alias="oldest_transaction_seconds")
    database_bytes: Optional[int] = Field(alias="database_bytes")

class PublicHealthQueueReport(BaseModel):
    status: Optional[str] = Field(alias="status")
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")
    queue_depth: Optional[int] = Field(alias="queue_depth")
    oldest_job_seconds: Optional[float] = Field(alias="oldest_job_seconds")
    pending: Optional[int] = Field(alias="pending")
    background: Optional[int] = Field(alias="background")
    waiting: Optional[int] = Field(alias="waiting")
    running: Optional[int] = Field(alias="running")
    per_second: Optional[float] = Field(alias="per_second")
    dead_letters: Optional[int] = Field(alias="dead_letters")
    workers_alive: Optional[int] = Field(alias="workers_alive")
    last_heartbeat_at: Optional[datetime.datetime] = Field(alias="last_heartbeat_at")
    last_prediction_at: Optional[datetime.datetime] = Field(alias="last_prediction_at")

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

class PublicNewApiKey(BaseModel):
    id: Optional[uuid.UUID] = Field(alias="id")
    name: Optional[str] = Field(alias="name")
    key: Optional[str] = Field(alias="key")
    scopes: Optional[List[str]] = Field(alias="scopes")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")

class PublicNotificationSetting(BaseModel):
    kind: Optional[str] = Field(alias="kind")
    title: Optional[str] = Field(alias="title")
    description: Optional[str] = Field(alias="description")
    can_be_muted: Optional[bool] = Field(alias="can_be_muted")
    muted: Optional[bool] = Field(alias="muted")

class PublicOwnedObject(BaseModel):
    bucket_id: Optional[str] = Field(alias="bucket_id")
    name: Optional[str] = Field(alias="name")
    metadata: Optional[JsonValue] = Field(alias="metadata")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")

class PublicPredictionState(BaseModel):
    prediction: Optional[str] = Field(alias="prediction")
    row_key: Optional[str] = Field(alias="row_key")
    status: Optional[str] = Field(alias="status")
    reason: Optional[str] = Field(alias="reason")
    attempts: Optional[int] = Field(alias="attempts")
    since: Optional[datetime.datetime] = Field(alias="since")
    next_try_at: Optional[datetime.datetime] = Field(alias="next_try_at")

class PublicRateLimit(BaseModel):
    name: Optional[str] = Field(alias="name")
    caller: Optional[str] = Field(alias="caller")
    for_reads: Optional[bool] = Field(alias="for_reads")
    path: Optional[str] = Field(alias="path")
    capacity: Optional[int] = Field(alias="capacity")
    refill_per_second: Optional[float] = Field(alias="refill_per_second")
    updated_at: Optional[datetime.datetime] = Field(alias="updated_at")
    updated_by: Optional[uuid.UUID] = Field(alias="updated_by")

class PublicSessionState(BaseModel):
    id: Optional[uuid.UUID] = Field(alias="id")
    created_at: Optional[datetime.datetime] = Field(alias="created_at")
    refreshed_at: Optional[datetime.datetime] = Field(alias="refreshed_at")
    user_agent: Optional[str] = Field(alias="user_agent")
    ip: Optional[str] = Field(alias="ip")
    aal: Optional[str] = Field(alias="aal")
    is_current: Optional[bool] = Field(alias="is_current")

class PublicSignInQuality(BaseModel):
    sign_ins: Optional[int] = Field(alias="sign_ins")
    scored: Optional[int] = Field(alias="scored")
    alarms: Optional[int] = Field(alias="alarms")
    alarms_not_me: Optional[int] = Field(alias="alarms_not_me")
    alarms_was_me: Optional[int] = Field(alias="alarms_was_me")
    missed: Optional[int] = Field(alias="missed")
    confirmed_share: Optional[float] = Field(alias="confirmed_share")
    alarm_share: Optional[float] = Field(alias="alarm_share")

class PublicTokenState(BaseModel):
    role: Optional[str] = Field(alias="role")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")
    credential: Optional[str] = Field(alias="credential")
    session_id: Optional[uuid.UUID] = Field(alias="session_id")
    api_key_id: Optional[uuid.UUID] = Field(alias="api_key_id")
    scopes: Optional[List[str]] = Field(alias="scopes")
    roles: Optional[List[str]] = Field(alias="roles")
    aal: Optional[str] = Field(alias="aal")
    issued_at: Optional[datetime.datetime] = Field(alias="issued_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")

class PublicUserPage(BaseModel):
    total: Optional[int] = Field(alias="total")
    page: Optional[int] = Field(alias="page")
    page_size: Optional[int] = Field(alias="page_size")
    users: Optional[List[PublicAccount]] = Field(alias="users")
