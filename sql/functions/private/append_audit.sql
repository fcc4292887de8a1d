-- Called by functions that run as the owner; no role of the API may. The actor is the token's, whatever role a function runs as.
-- Under an API key nobody holds a role. p_nameless leaves out who acted: the record of a redaction must not name the person again.
create or replace function private.append_audit(
  p_action text,
  p_table_name text default null,
  p_row_key text default null,
  p_subject_id uuid default null,
  p_old_values jsonb default null,
  p_new_values jsonb default null,
  p_nameless boolean default false
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_actor constant uuid := auth.uid();
  v_headers constant text := current_setting('request.headers', true);
  v_request text;
  v_roles text;
begin
  if v_headers is json object and not p_nameless then
    v_request := v_headers::json ->> 'x-request-id';
    -- The caller writes it: no text, and no account's id, which would outlive the person. So short, it holds one at most.
    if (v_request ~ '^[A-Za-z0-9._:=-]{1,64}$') is not true or exists (
      select from auth.users as u
      where u.id = substring(v_request from '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}')::uuid
    ) then
      v_request := null;
    end if;
  end if;
  if auth.jwt() ->> 'api_key_id' is not null then
    v_roles := 'api key';
  elsif v_actor is not null then
    select string_agg(u.role, ', ' order by u.role) into v_roles
    from public.user_roles as u
    where u.user_id = v_actor and (u.expires_at is null or u.expires_at > now());
  end if;
  insert into private.audit_log (
    actor_role, action, table_name, salt, actor_id, subject_id, row_key, old_values, new_values, request_id
  )
  values (
    coalesce(v_roles, auth.role(), session_user), p_action, p_table_name, gen_random_uuid(),
    case when not p_nameless then v_actor end, p_subject_id, p_row_key, p_old_values, p_new_values, v_request
  );
end
$$;

comment on function private.append_audit(text, text, text, uuid, jsonb, jsonb, boolean) is 'Adds one entry to the audit log.';
