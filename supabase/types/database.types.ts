
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "app_roles": {
                  Row: {
                    "description": string,"name": string
                  }
                  ComputedFields: never
                  Insert: {
                    "description": string,"name": string
                  }
                  Update: {
                    "description"?: string,"name"?: string
                  }
                  Relationships: [
                    
                  ]
                },"deletion_requests": {
                  Row: {
                    "cancelled_at": string | null,"due_at": string,"reason": string | null,"requested_at": string,"state": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cancelled_at"?: string | null,"due_at": string,"reason"?: string | null,"requested_at"?: string,"state"?: string,"user_id": string
                  }
                  Update: {
                    "cancelled_at"?: string | null,"due_at"?: string,"reason"?: string | null,"requested_at"?: string,"state"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"export_requests": {
                  Row: {
                    "id": string,"requested_at": string,"row_count": number,"state": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "id"?: string,"requested_at"?: string,"row_count"?: number,"state"?: string,"user_id": string
                  }
                  Update: {
                    "id"?: string,"requested_at"?: string,"row_count"?: number,"state"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"feature_flags": {
                  Row: {
                    "description": string,"enabled": boolean,"name": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "description": string,"enabled": boolean,"name": string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Update: {
                    "description"?: string,"enabled"?: boolean,"name"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"login_events": {
                  Row: {
                    "alarmed": boolean,"at": string,"cell_lat": number | null,"cell_lng": number | null,"confirmed": boolean | null,"confirmed_at": string | null,"country": string | null,"device_hash": string | null,"id": number,"ip_hash": string | null,"model_version": string | null,"reasons": (string)[] | null,"risk": number | null,"session_id": string | null,"succeeded": boolean,"user_agent_family": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "alarmed"?: boolean,"at"?: string,"cell_lat"?: number | null,"cell_lng"?: number | null,"confirmed"?: boolean | null,"confirmed_at"?: string | null,"country"?: string | null,"device_hash"?: string | null,"id"?: never,"ip_hash"?: string | null,"model_version"?: string | null,"reasons"?: (string)[] | null,"risk"?: number | null,"session_id"?: string | null,"succeeded": boolean,"user_agent_family"?: string | null,"user_id": string
                  }
                  Update: {
                    "alarmed"?: boolean,"at"?: string,"cell_lat"?: number | null,"cell_lng"?: number | null,"confirmed"?: boolean | null,"confirmed_at"?: string | null,"country"?: string | null,"device_hash"?: string | null,"id"?: never,"ip_hash"?: string | null,"model_version"?: string | null,"reasons"?: (string)[] | null,"risk"?: number | null,"session_id"?: string | null,"succeeded"?: boolean,"user_agent_family"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"notifications": {
                  Row: {
                    "body": string | null,"created_at": string,"data": NonNullable<Json>,"id": number,"idempotency_key": string | null,"kind": string,"read_at": string | null,"title": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "body"?: string | null,"created_at"?: string,"data"?: NonNullable<Json>,"id"?: never,"idempotency_key"?: string | null,"kind": string,"read_at"?: string | null,"title": string,"user_id": string
                  }
                  Update: {
                    "body"?: string | null,"created_at"?: string,"data"?: NonNullable<Json>,"id"?: never,"idempotency_key"?: string | null,"kind"?: string,"read_at"?: string | null,"title"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"permissions": {
                  Row: {
                    "description": string,"name": string,"requires_mfa": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "description": string,"name": string,"requires_mfa"?: boolean
                  }
                  Update: {
                    "description"?: string,"name"?: string,"requires_mfa"?: boolean
                  }
                  Relationships: [
                    
                  ]
                },"pickup_requests": {
                  Row: {
                    "cancel_reason": string | null,"cancelled_at": string | null,"client_key": string,"completed_at": string | null,"dest_lat": number,"dest_lng": number,"estimate_seconds": number,"eta_high_seconds": number | null,"eta_low_seconds": number | null,"eta_model_version": string | null,"eta_seconds": number,"eta_source": string,"id": string,"kind": Database["public"]['Enums']["pickup_kind"],"origin_lat": number,"origin_lng": number,"picked_up_at": string | null,"requested_at": string,"status": Database["public"]['Enums']["pickup_status"],"updated_at": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cancel_reason"?: string | null,"cancelled_at"?: string | null,"client_key": string,"completed_at"?: string | null,"dest_lat": number,"dest_lng": number,"estimate_seconds": number,"eta_high_seconds"?: number | null,"eta_low_seconds"?: number | null,"eta_model_version"?: string | null,"eta_seconds": number,"eta_source"?: string,"id"?: string,"kind"?: Database["public"]['Enums']["pickup_kind"],"origin_lat": number,"origin_lng": number,"picked_up_at"?: string | null,"requested_at"?: string,"status"?: Database["public"]['Enums']["pickup_status"],"updated_at"?: string,"user_id": string
                  }
                  Update: {
                    "cancel_reason"?: string | null,"cancelled_at"?: string | null,"client_key"?: string,"completed_at"?: string | null,"dest_lat"?: number,"dest_lng"?: number,"estimate_seconds"?: number,"eta_high_seconds"?: number | null,"eta_low_seconds"?: number | null,"eta_model_version"?: string | null,"eta_seconds"?: number,"eta_source"?: string,"id"?: string,"kind"?: Database["public"]['Enums']["pickup_kind"],"origin_lat"?: number,"origin_lng"?: number,"picked_up_at"?: string | null,"requested_at"?: string,"status"?: Database["public"]['Enums']["pickup_status"],"updated_at"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"prediction_outcomes": {
                  Row: {
                    "id": number,"observed_at": string,"owner_id": string | null,"predicted": Json | null,"prediction": string,"prediction_id": number | null,"row_key": string,"truth": NonNullable<Json>
                  }
                  ComputedFields: never
                  Insert: {
                    "id"?: never,"observed_at"?: string,"owner_id"?: string | null,"predicted"?: Json | null,"prediction": string,"prediction_id"?: number | null,"row_key": string,"truth": NonNullable<Json>
                  }
                  Update: {
                    "id"?: never,"observed_at"?: string,"owner_id"?: string | null,"predicted"?: Json | null,"prediction"?: string,"prediction_id"?: number | null,"row_key"?: string,"truth"?: NonNullable<Json>
                  }
                  Relationships: [
                    
                  ]
                },"predictions": {
                  Row: {
                    "attempts": number,"created_at": string,"error": string | null,"id": number,"input_hash": string | null,"interval_high": number | null,"interval_low": number | null,"latency_ms": number | null,"model": string,"model_version": string | null,"output": Json | null,"owner_id": string | null,"prediction": string,"request_id": string | null,"row_key": string,"source_table": string,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "attempts"?: number,"created_at"?: string,"error"?: string | null,"id"?: never,"input_hash"?: string | null,"interval_high"?: number | null,"interval_low"?: number | null,"latency_ms"?: number | null,"model": string,"model_version"?: string | null,"output"?: Json | null,"owner_id"?: string | null,"prediction": string,"request_id"?: string | null,"row_key": string,"source_table": string,"status": string
                  }
                  Update: {
                    "attempts"?: number,"created_at"?: string,"error"?: string | null,"id"?: never,"input_hash"?: string | null,"interval_high"?: number | null,"interval_low"?: number | null,"latency_ms"?: number | null,"model"?: string,"model_version"?: string | null,"output"?: Json | null,"owner_id"?: string | null,"prediction"?: string,"request_id"?: string | null,"row_key"?: string,"source_table"?: string,"status"?: string
                  }
                  Relationships: [
                    
                  ]
                },"profiles": {
                  Row: {
                    "avatar_url": string | null,"created_at": string,"display_name": string | null,"id": string,"locale": string | null,"time_zone": string | null,"updated_at": string,"username": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "avatar_url"?: string | null,"created_at"?: string,"display_name"?: string | null,"id": string,"locale"?: string | null,"time_zone"?: string | null,"updated_at"?: string,"username"?: string | null
                  }
                  Update: {
                    "avatar_url"?: string | null,"created_at"?: string,"display_name"?: string | null,"id"?: string,"locale"?: string | null,"time_zone"?: string | null,"updated_at"?: string,"username"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"role_permissions": {
                  Row: {
                    "permission": string,"role": string
                  }
                  ComputedFields: never
                  Insert: {
                    "permission": string,"role": string
                  }
                  Update: {
                    "permission"?: string,"role"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "role_permissions_permission_fkey"
      columns: ["permission"]
isOneToOne: false
      referencedRelation: "permissions"
      referencedColumns: ["name"]
    },{
      foreignKeyName: "role_permissions_role_fkey"
      columns: ["role"]
isOneToOne: false
      referencedRelation: "app_roles"
      referencedColumns: ["name"]
    }
                  ]
                },"user_roles": {
                  Row: {
                    "expires_at": string | null,"granted_at": string,"granted_by": string | null,"role": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "expires_at"?: string | null,"granted_at"?: string,"granted_by"?: string | null,"role": string,"user_id": string
                  }
                  Update: {
                    "expires_at"?: string | null,"granted_at"?: string,"granted_by"?: string | null,"role"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "user_roles_role_fkey"
      columns: ["role"]
isOneToOne: false
      referencedRelation: "app_roles"
      referencedColumns: ["name"]
    }
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
            "admin_sign_out":
{ Args: { "p_user_id": string }; Returns: number
                           },
"admin_update_user":
{ Args: { "p_changes": Json,"p_user_id": string }; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
      } },
"advance_pickup":
{ Args: { "p_id": string,"p_status": Database["public"]['Enums']["pickup_status"] }; Returns: {
              "cancel_reason": string | null,
"cancelled_at": string | null,
"client_key": string,
"completed_at": string | null,
"dest_lat": number,
"dest_lng": number,
"estimate_seconds": number,
"eta_high_seconds": number | null,
"eta_low_seconds": number | null,
"eta_model_version": string | null,
"eta_seconds": number,
"eta_source": string,
"id": string,
"kind": Database["public"]['Enums']["pickup_kind"],
"origin_lat": number,
"origin_lng": number,
"picked_up_at": string | null,
"requested_at": string,
"status": Database["public"]['Enums']["pickup_status"],
"updated_at": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "pickup_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"audit_trail":
{ Args: { "p_action"?: string,"p_before"?: string,"p_before_id"?: number,"p_limit"?: number,"p_table"?: string,"p_user_id"?: string }; Returns: Database["public"]['CompositeTypes']["audit_entry"][]
                          SetofOptions: {
        from: "*"
        to: "audit_entry"
        isOneToOne: false
        isSetofReturn: true
      } },
"cancel_deletion":
{ Args: Record<PropertyKey, never>; Returns: {
              "cancelled_at": string | null,
"due_at": string,
"reason": string | null,
"requested_at": string,
"state": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "deletion_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"cancel_pickup":
{ Args: { "p_id": string,"p_reason"?: string }; Returns: {
              "cancel_reason": string | null,
"cancelled_at": string | null,
"client_key": string,
"completed_at": string | null,
"dest_lat": number,
"dest_lng": number,
"estimate_seconds": number,
"eta_high_seconds": number | null,
"eta_low_seconds": number | null,
"eta_model_version": string | null,
"eta_seconds": number,
"eta_source": string,
"id": string,
"kind": Database["public"]['Enums']["pickup_kind"],
"origin_lat": number,
"origin_lng": number,
"picked_up_at": string | null,
"requested_at": string,
"status": Database["public"]['Enums']["pickup_status"],
"updated_at": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "pickup_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"check_erasable":
{ Args: { "p_user_id": string }; Returns: undefined
                           },
"create_api_key":
{ Args: { "p_expires_at"?: string,"p_name": string,"p_scopes"?: (string)[] }; Returns: Database["public"]['CompositeTypes']["new_api_key"]
                          SetofOptions: {
        from: "*"
        to: "new_api_key"
        isOneToOne: true
        isSetofReturn: false
      } },
"due_deletions":
{ Args: { "p_limit"?: number }; Returns: {
              "has_files": boolean,"user_id": string
            }[]
                           },
"erase_user":
{ Args: { "p_cause"?: string,"p_user_id": string }; Returns: unknown
                          SetofOptions: {
        from: "*"
        to: "erasures"
        isOneToOne: true
        isSetofReturn: false
      } },
"export_page":
{ Args: { "p_after": Json,"p_export_id": string,"p_table": string }; Returns: Json
                           },
"feature_flags":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["feature_flag_state"][]
                          SetofOptions: {
        from: "*"
        to: "feature_flag_state"
        isOneToOne: false
        isSetofReturn: true
      } },
"flag":
{ Args: { "p_name": string }; Returns: boolean
                           },
"get_pickup":
{ Args: { "p_id": string }; Returns: {
              "cancel_reason": string | null,
"cancelled_at": string | null,
"client_key": string,
"completed_at": string | null,
"dest_lat": number,
"dest_lng": number,
"estimate_seconds": number,
"eta_high_seconds": number | null,
"eta_low_seconds": number | null,
"eta_model_version": string | null,
"eta_seconds": number,
"eta_source": string,
"id": string,
"kind": Database["public"]['Enums']["pickup_kind"],
"origin_lat": number,
"origin_lng": number,
"picked_up_at": string | null,
"requested_at": string,
"status": Database["public"]['Enums']["pickup_status"],
"updated_at": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "pickup_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"get_user":
{ Args: { "p_user_id": string }; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
      } },
"health":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["health_status"]
                          SetofOptions: {
        from: "*"
        to: "health_status"
        isOneToOne: true
        isSetofReturn: false
      } },
"health_db":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["health_db_report"]
                          SetofOptions: {
        from: "*"
        to: "health_db_report"
        isOneToOne: true
        isSetofReturn: false
      } },
"health_detailed":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["health_report"]
                          SetofOptions: {
        from: "*"
        to: "health_report"
        isOneToOne: true
        isSetofReturn: false
      } },
"health_queue":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["health_queue_report"]
                          SetofOptions: {
        from: "*"
        to: "health_queue_report"
        isOneToOne: true
        isSetofReturn: false
      } },
"hello":
{ Args: Record<PropertyKey, never>; Returns: {
              "message": string
            }[]
                           },
"import_account":
{ Args: { "p_document": Json }; Returns: Json
                           },
"list_users":
{ Args: { "p_page"?: number,"p_page_size"?: number,"p_search"?: string }; Returns: Database["public"]['CompositeTypes']["user_page"]
                          SetofOptions: {
        from: "*"
        to: "user_page"
        isOneToOne: true
        isSetofReturn: false
      } },
"make_account":
{ Args: { "p_account": Json,"p_password"?: string }; Returns: string
                           },
"mark_notifications_read":
{ Args: { "p_ids"?: (number)[] }; Returns: number
                           },
"may_create_user":
{ Args: { "p_role"?: string }; Returns: undefined
                           },
"may_delete_user":
{ Args: { "p_user_id": string }; Returns: undefined
                           },
"may_predict":
{ Args: { "p_model": string }; Returns: undefined
                           },
"me":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
      } },
"mute_notifications":
{ Args: { "p_kind": string,"p_muted"?: boolean }; Returns: Database["public"]['CompositeTypes']["notification_setting"]
                          SetofOptions: {
        from: "*"
        to: "notification_setting"
        isOneToOne: true
        isSetofReturn: false
      } },
"my_api_keys":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["api_key_state"][]
                          SetofOptions: {
        from: "*"
        to: "api_key_state"
        isOneToOne: false
        isSetofReturn: true
      } },
"my_deletion_request":
{ Args: Record<PropertyKey, never>; Returns: {
              "cancelled_at": string | null,
"due_at": string,
"reason": string | null,
"requested_at": string,
"state": string,
"user_id": string
            }[]
                          SetofOptions: {
        from: "*"
        to: "deletion_requests"
        isOneToOne: false
        isSetofReturn: true
      } },
"my_pickups":
{ Args: Record<PropertyKey, never>; Returns: {
              "cancel_reason": string | null,
"cancelled_at": string | null,
"client_key": string,
"completed_at": string | null,
"dest_lat": number,
"dest_lng": number,
"estimate_seconds": number,
"eta_high_seconds": number | null,
"eta_low_seconds": number | null,
"eta_model_version": string | null,
"eta_seconds": number,
"eta_source": string,
"id": string,
"kind": Database["public"]['Enums']["pickup_kind"],
"origin_lat": number,
"origin_lng": number,
"picked_up_at": string | null,
"requested_at": string,
"status": Database["public"]['Enums']["pickup_status"],
"updated_at": string,
"user_id": string
            }[]
                          SetofOptions: {
        from: "*"
        to: "pickup_requests"
        isOneToOne: false
        isSetofReturn: true
      } },
"my_sessions":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["session_state"][]
                          SetofOptions: {
        from: "*"
        to: "session_state"
        isOneToOne: false
        isSetofReturn: true
      } },
"my_sign_ins":
{ Args: { "p_limit"?: number }; Returns: {
              "alarmed": boolean,
"at": string,
"cell_lat": number | null,
"cell_lng": number | null,
"confirmed": boolean | null,
"confirmed_at": string | null,
"country": string | null,
"device_hash": string | null,
"id": number,
"ip_hash": string | null,
"model_version": string | null,
"reasons": (string)[] | null,
"risk": number | null,
"session_id": string | null,
"succeeded": boolean,
"user_agent_family": string | null,
"user_id": string
            }[]
                          SetofOptions: {
        from: "*"
        to: "login_events"
        isOneToOne: false
        isSetofReturn: true
      } },
"note_deletion_failure":
{ Args: { "p_error": string,"p_user_id": string }; Returns: undefined
                           },
"notification_settings":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["notification_setting"][]
                          SetofOptions: {
        from: "*"
        to: "notification_setting"
        isOneToOne: false
        isSetofReturn: true
      } },
"notify_many":
{ Args: { "p_body"?: string,"p_data"?: Json,"p_key"?: string,"p_kind": string,"p_title"?: string,"p_user_ids": (string)[] }; Returns: number
                           },
"owned_objects":
{ Args: { "p_user_id": string }; Returns: Database["public"]['CompositeTypes']["owned_object"][]
                          SetofOptions: {
        from: "*"
        to: "owned_object"
        isOneToOne: false
        isSetofReturn: true
      } },
"prediction_status":
{ Args: { "p_prediction"?: string,"p_row_key"?: string }; Returns: Database["public"]['CompositeTypes']["prediction_state"][]
                          SetofOptions: {
        from: "*"
        to: "prediction_state"
        isOneToOne: false
        isSetofReturn: true
      } },
"quote_eta":
{ Args: { "p_dest_lat": number,"p_dest_lng": number,"p_origin_lat": number,"p_origin_lng": number }; Returns: Database["public"]['CompositeTypes']["eta_quote"]
                          SetofOptions: {
        from: "*"
        to: "eta_quote"
        isOneToOne: true
        isSetofReturn: false
      } },
"rate_limits":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["rate_limit"][]
                          SetofOptions: {
        from: "*"
        to: "rate_limit"
        isOneToOne: false
        isSetofReturn: true
      } },
"remove_rate_limit":
{ Args: { "p_name": string }; Returns: undefined
                           },
"report_sign_in":
{ Args: { "p_id": number,"p_was_me": boolean }; Returns: {
              "alarmed": boolean,
"at": string,
"cell_lat": number | null,
"cell_lng": number | null,
"confirmed": boolean | null,
"confirmed_at": string | null,
"country": string | null,
"device_hash": string | null,
"id": number,
"ip_hash": string | null,
"model_version": string | null,
"reasons": (string)[] | null,
"risk": number | null,
"session_id": string | null,
"succeeded": boolean,
"user_agent_family": string | null,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "login_events"
        isOneToOne: true
        isSetofReturn: false
      } },
"request_deletion":
{ Args: { "p_reason"?: string }; Returns: {
              "cancelled_at": string | null,
"due_at": string,
"reason": string | null,
"requested_at": string,
"state": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "deletion_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"request_export":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"request_pickup":
{ Args: { "p_client_key"?: string,"p_dest_lat": number,"p_dest_lng": number,"p_kind"?: Database["public"]['Enums']["pickup_kind"],"p_origin_lat": number,"p_origin_lng": number }; Returns: {
              "cancel_reason": string | null,
"cancelled_at": string | null,
"client_key": string,
"completed_at": string | null,
"dest_lat": number,
"dest_lng": number,
"estimate_seconds": number,
"eta_high_seconds": number | null,
"eta_low_seconds": number | null,
"eta_model_version": string | null,
"eta_seconds": number,
"eta_source": string,
"id": string,
"kind": Database["public"]['Enums']["pickup_kind"],
"origin_lat": number,
"origin_lng": number,
"picked_up_at": string | null,
"requested_at": string,
"status": Database["public"]['Enums']["pickup_status"],
"updated_at": string,
"user_id": string
            }
                          SetofOptions: {
        from: "*"
        to: "pickup_requests"
        isOneToOne: true
        isSetofReturn: false
      } },
"revoke_api_key":
{ Args: { "p_id": string }; Returns: undefined
                           },
"revoke_session":
{ Args: { "p_session_id": string }; Returns: undefined
                           },
"set_flag":
{ Args: { "p_enabled": boolean,"p_name": string }; Returns: {
              "description": string,
"enabled": boolean,
"name": string,
"updated_at": string,
"updated_by": string | null
            }
                          SetofOptions: {
        from: "*"
        to: "feature_flags"
        isOneToOne: true
        isSetofReturn: false
      } },
"set_rate_limit":
{ Args: { "p_caller"?: string,"p_capacity": number,"p_for_reads"?: boolean,"p_name": string,"p_path"?: string,"p_refill_per_second": number }; Returns: Database["public"]['CompositeTypes']["rate_limit"]
                          SetofOptions: {
        from: "*"
        to: "rate_limit"
        isOneToOne: true
        isSetofReturn: false
      } },
"set_role":
{ Args: { "p_expires_at"?: string,"p_granted"?: boolean,"p_role": string,"p_user_id": string }; Returns: (string)[]
                           },
"sign_in_quality":
{ Args: { "p_days"?: number }; Returns: Database["public"]['CompositeTypes']["sign_in_quality"]
                          SetofOptions: {
        from: "*"
        to: "sign_in_quality"
        isOneToOne: true
        isSetofReturn: false
      } },
"sign_out_everywhere":
{ Args: { "p_keep_current"?: boolean }; Returns: number
                           },
"sync_profile":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
      } },
"unread_count":
{ Args: Record<PropertyKey, never>; Returns: number
                           },
"update_me":
{ Args: { "p_changes": Json }; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
      } },
"user_sign_ins":
{ Args: { "p_limit"?: number,"p_user_id": string }; Returns: {
              "alarmed": boolean,
"at": string,
"cell_lat": number | null,
"cell_lng": number | null,
"confirmed": boolean | null,
"confirmed_at": string | null,
"country": string | null,
"device_hash": string | null,
"id": number,
"ip_hash": string | null,
"model_version": string | null,
"reasons": (string)[] | null,
"risk": number | null,
"session_id": string | null,
"succeeded": boolean,
"user_agent_family": string | null,
"user_id": string
            }[]
                          SetofOptions: {
        from: "*"
        to: "login_events"
        isOneToOne: false
        isSetofReturn: true
      } },
"verify_audit_log":
{ Args: { "p_heads"?: (string)[],"p_month"?: string }; Returns: Database["public"]['CompositeTypes']["audit_chain"][]
                          SetofOptions: {
        from: "*"
        to: "audit_chain"
        isOneToOne: false
        isSetofReturn: true
      } },
"verify_token":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["token_state"]
                          SetofOptions: {
        from: "*"
        to: "token_state"
        isOneToOne: true
        isSetofReturn: false
      } }
          }
          Enums: {
            "pickup_kind": "ride"|"parcel"|"pool","pickup_status": "requested"|"assigned"|"picked_up"|"completed"|"cancelled"
          }
          CompositeTypes: {
            "account": {
                        "id": string | null,"email": string | null,"phone": string | null,"display_name": string | null,"username": string | null,"avatar_url": string | null,"locale": string | null,"time_zone": string | null,"roles": (string)[] | null,"permissions": (string)[] | null,"confirmed": boolean | null,"last_sign_in_at": string | null,"banned_until": string | null,"created_at": string | null,"updated_at": string | null
                      },"api_key_state": {
                        "id": string | null,"name": string | null,"prefix": string | null,"scopes": (string)[] | null,"created_at": string | null,"expires_at": string | null
                      },"audit_chain": {
                        "month": string | null,"entries": number | null,"redacted": number | null,"ok": boolean | null,"first_broken": number | null,"problem": string | null,"head": string | null
                      },"audit_entry": {
                        "id": number | null,"created_at": string | null,"action": string | null,"table_name": string | null,"row_key": string | null,"subject_id": string | null,"actor_id": string | null,"actor_role": string | null,"old_values": Json | null,"new_values": Json | null,"request_id": string | null,"is_redacted": boolean | null
                      },"eta_quote": {
                        "eta_seconds": number | null,"distance_metres": number | null,"eta_source": string | null
                      },"feature_flag_state": {
                        "name": string | null,"enabled": boolean | null,"description": string | null,"updated_at": string | null
                      },"health_db_report": {
                        "status": string | null,"checked_at": string | null,"probe_ms": number | null,"cache_hit_ratio": number | null,"connections": number | null,"max_connections": number | null,"oldest_transaction_seconds": number | null,"database_bytes": number | null
                      },"health_queue_report": {
                        "status": string | null,"checked_at": string | null,"queue_depth": number | null,"oldest_job_seconds": number | null,"pending": number | null,"background": number | null,"waiting": number | null,"running": number | null,"per_second": number | null,"dead_letters": number | null,"workers_alive": number | null,"last_heartbeat_at": string | null,"last_prediction_at": string | null
                      },"health_report": {
                        "status": string | null,"service": string | null,"database": string | null,"queue_depth": number | null,"oldest_job_seconds": number | null,"workers_alive": number | null,"last_heartbeat_at": string | null,"last_prediction_at": string | null,"checked_at": string | null,"pending": number | null,"background": number | null,"waiting": number | null,"running": number | null,"per_second": number | null,"dead_letters": number | null,"predictions": Json | null
                      },"health_status": {
                        "status": string | null,"service": string | null,"checked_at": string | null
                      },"new_api_key": {
                        "id": string | null,"name": string | null,"key": string | null,"scopes": (string)[] | null,"created_at": string | null,"expires_at": string | null
                      },"notification_setting": {
                        "kind": string | null,"title": string | null,"description": string | null,"can_be_muted": boolean | null,"muted": boolean | null
                      },"owned_object": {
                        "bucket_id": string | null,"name": string | null,"metadata": Json | null,"created_at": string | null
                      },"prediction_state": {
                        "prediction": string | null,"row_key": string | null,"status": string | null,"reason": string | null,"attempts": number | null,"since": string | null,"next_try_at": string | null
                      },"rate_limit": {
                        "name": string | null,"caller": string | null,"for_reads": boolean | null,"path": string | null,"capacity": number | null,"refill_per_second": number | null,"updated_at": string | null,"updated_by": string | null
                      },"session_state": {
                        "id": string | null,"created_at": string | null,"refreshed_at": string | null,"user_agent": string | null,"ip": string | null,"aal": string | null,"is_current": boolean | null
                      },"sign_in_quality": {
                        "sign_ins": number | null,"scored": number | null,"alarms": number | null,"alarms_not_me": number | null,"alarms_was_me": number | null,"missed": number | null,"confirmed_share": number | null,"alarm_share": number | null
                      },"token_state": {
                        "role": string | null,"user_id": string | null,"credential": string | null,"session_id": string | null,"api_key_id": string | null,"scopes": (string)[] | null,"roles": (string)[] | null,"aal": string | null,"issued_at": string | null,"expires_at": string | null
                      },"user_page": {
                        "total": number | null,"page": number | null,"page_size": number | null,"users": (Database["public"]['CompositeTypes']["account"])[] | null
                      }
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            "pickup_kind": ["ride", "parcel", "pool"],"pickup_status": ["requested", "assigned", "picked_up", "completed", "cancelled"]
          }
        }
} as const
