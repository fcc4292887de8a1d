-- Definer: looks at everybody's roles. Asked before a file is removed: the table refuses the last admin too, but by then the
-- files would be gone.
create or replace function private.check_erasable(p_user_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if exists (select from public.user_roles as ur where ur.user_id = p_user_id and ur.role = 'admin' and ur.expires_at is null)
    and not exists (
      select from public.user_roles as ur
      where ur.user_id <> p_user_id and ur.role = 'admin' and ur.expires_at is null and private.account_is_live(ur.user_id)
    )
  then
    raise sqlstate 'PT409' using
      message = 'The last admin cannot go.', detail = 'LAST_ADMIN', hint = 'Make somebody else admin first, without an end.';
  end if;
end
$$;

comment on function private.check_erasable(uuid) is 'Refuses the last admin, who cannot be erased.';
grant execute on function private.check_erasable(uuid) to service_role;
