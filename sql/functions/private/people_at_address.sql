-- The newest thousand rows of the address are counted, so that a busy one costs no more.
create or replace function private.people_at_address(
  p_ip_hash bytea, p_except uuid, p_from timestamptz, p_before timestamptz, p_succeeded boolean
)
returns bigint
language sql
stable
security invoker
set search_path = ''
as $$
  select count(distinct e.user_id) from (
    select x.user_id from public.login_events as x
    where x.ip_hash = p_ip_hash and x.at >= p_from and x.at < p_before and x.succeeded = p_succeeded and x.user_id <> p_except
    order by x.at desc
    limit 1000
  ) as e;
$$;

comment on function private.people_at_address(bytea, uuid, timestamptz, timestamptz, boolean) is
  'How many other people signed in, or failed to, from an address within a time.';
