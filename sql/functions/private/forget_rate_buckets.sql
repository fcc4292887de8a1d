-- Rows that a running request holds are left: to wait for them would be to wait for the slowest request there is.
create or replace function private.forget_rate_buckets(p_limit_name text default null)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  delete from private.rate_buckets where ctid = any (array(
    select b.ctid from private.rate_buckets as b
    where case when p_limit_name is null then b.full_at < now() else b.limit_name = p_limit_name end
    for update skip locked
  ));
$$;

comment on function private.forget_rate_buckets(text) is
  'Forgets the buckets of one limit, or those that are full again, since a missing one is a full one. Runs every ten minutes.';
