create or replace function private.apply_pickup_eta(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void
language sql
volatile
security invoker
set search_path = ''
begin atomic
  update public.pickup_requests as r set
    eta_seconds = (o.output ->> 'eta_seconds')::integer,
    eta_low_seconds = (o.output ->> 'eta_low_seconds')::integer,
    eta_high_seconds = (o.output ->> 'eta_high_seconds')::integer,
    eta_source = 'model',
    eta_model_version = p_model_version
  from unnest(p_row_keys, p_outputs) as o (row_key, output)
  where r.id = o.row_key::uuid;
end;

comment on function private.apply_pickup_eta(text[], jsonb[], text) is 'Writes the model''s travel times to their pickups.';
