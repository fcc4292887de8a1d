
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
                },"permissions": {
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
"health_detailed":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["health_report"]
                          SetofOptions: {
        from: "*"
        to: "health_report"
        isOneToOne: true
        isSetofReturn: false
      } },
"hello":
{ Args: Record<PropertyKey, never>; Returns: {
              "message": string
            }[]
                           },
"list_users":
{ Args: { "p_page"?: number,"p_page_size"?: number,"p_search"?: string }; Returns: Database["public"]['CompositeTypes']["user_page"]
                          SetofOptions: {
        from: "*"
        to: "user_page"
        isOneToOne: true
        isSetofReturn: false
      } },
"me":
{ Args: Record<PropertyKey, never>; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
        isOneToOne: true
        isSetofReturn: false
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
"set_role":
{ Args: { "p_expires_at"?: string,"p_granted"?: boolean,"p_role": string,"p_user_id": string }; Returns: (string)[]
                           },
"sync_profile":
{ Args: Record<PropertyKey, never>; Returns: {
              "avatar_url": string | null,
"created_at": string,
"display_name": string | null,
"id": string,
"locale": string | null,
"time_zone": string | null,
"updated_at": string,
"username": string | null
            }
                          SetofOptions: {
        from: "*"
        to: "profiles"
        isOneToOne: true
        isSetofReturn: false
      } },
"update_me":
{ Args: { "p_changes": Json }; Returns: Database["public"]['CompositeTypes']["account"]
                          SetofOptions: {
        from: "*"
        to: "account"
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
                      },"eta_quote": {
                        "eta_seconds": number | null,"distance_metres": number | null,"eta_source": string | null
                      },"health_report": {
                        "status": string | null,"service": string | null,"database": string | null,"queue_depth": number | null,"oldest_job_seconds": number | null,"workers_alive": number | null,"last_heartbeat_at": string | null,"last_prediction_at": string | null,"checked_at": string | null,"pending": number | null,"background": number | null,"waiting": number | null,"running": number | null,"per_second": number | null,"dead_letters": number | null,"predictions": Json | null
                      },"health_status": {
                        "status": string | null,"service": string | null,"checked_at": string | null
                      },"prediction_state": {
                        "prediction": string | null,"row_key": string | null,"status": string | null,"reason": string | null,"attempts": number | null,"since": string | null,"next_try_at": string | null
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
