-- Definer: looks at everybody's roles. The lock makes two removals take turns; whoever comes second sees that it would be the last.
create or replace function private.require_an_admin()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(20261120, 3);
  if not exists (
    select from public.user_roles as ur
    where ur.role = 'admin' and ur.expires_at is null and private.account_is_live(ur.user_id)
  ) then
    raise sqlstate 'PT409' using
      message = 'The last admin cannot go.', detail = 'LAST_ADMIN', hint = 'Make somebody else admin first, without an end.';
  end if;
end
$$;

comment on function private.require_an_admin() is 'Refuses what leaves nobody who is admin without an end and not banned.';
