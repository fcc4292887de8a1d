-- An IPv6 address counts by its /64, since phones change the rest every day. A device is the user agent without its versions;
-- the person is hashed along, so that no two people's devices can be compared.
create or replace function private.record_sign_in(
  p_user_id uuid, p_session_id uuid, p_succeeded boolean, p_ip inet, p_user_agent text
)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  insert into public.login_events (
    user_id, session_id, succeeded, country, cell_lat, cell_lng, ip_hash, device_hash, user_agent_family
  )
  select
    p_user_id, p_session_id, p_succeeded, l.country, l.cell_lat, l.cell_lng,
    private.keyed_hash(host(network(set_masklen(p_ip, case family(p_ip) when 6 then 64 else 32 end)))),
    private.keyed_hash(p_user_id || ' ' || regexp_replace(left(nullif(p_user_agent, ''), 500), '[0-9]+', '', 'g')),
    private.user_agent_family(left(p_user_agent, 500))
  from (select) as one
  left join lateral private.locate_ip(p_ip) as l on true;
$$;

comment on function private.record_sign_in(uuid, uuid, boolean, inet, text) is
  'Notes a sign-in: of the address and the user agent only what cannot be turned back.';
