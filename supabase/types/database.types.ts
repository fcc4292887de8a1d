
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "pickup_requests": {
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
                    "created_at": string,"display_name": string | null,"id": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"display_name"?: string | null,"id": string,"updated_at"?: string
                  }
                  Update: {
                    "created_at"?: string,"display_name"?: string | null,"id"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
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
"me":
{ Args: Record<PropertyKey, never>; Returns: {
              "created_at": string,
"display_name": string | null,
"id": string,
"updated_at": string
            }
                          SetofOptions: {
        from: "*"
        to: "profiles"
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
"sync_profile":
{ Args: Record<PropertyKey, never>; Returns: {
              "created_at": string,
"display_name": string | null,
"id": string,
"updated_at": string
            }
                          SetofOptions: {
        from: "*"
        to: "profiles"
        isOneToOne: true
        isSetofReturn: false
      } }
          }
          Enums: {
            "pickup_kind": "ride"|"parcel"|"pool","pickup_status": "requested"|"assigned"|"picked_up"|"completed"|"cancelled"
          }
          CompositeTypes: {
            "eta_quote": {
                        "eta_seconds": number | null,"distance_metres": number | null,"eta_source": string | null
                      },"health_report": {
                        "status": string | null,"service": string | null,"database": string | null,"queue_depth": number | null,"oldest_job_seconds": number | null,"workers_alive": number | null,"last_heartbeat_at": string | null,"last_prediction_at": string | null,"checked_at": string | null,"pending": number | null,"background": number | null,"waiting": number | null,"running": number | null,"per_second": number | null,"dead_letters": number | null,"predictions": Json | null
                      },"health_status": {
                        "status": string | null,"service": string | null,"checked_at": string | null
                      },"prediction_state": {
                        "prediction": string | null,"row_key": string | null,"status": string | null,"reason": string | null,"attempts": number | null,"since": string | null,"next_try_at": string | null
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
