-- Definer: reads auth.users. Not callable through the API.
create or replace function private.account_is_live(p_user_id uuid)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (
    select from auth.users as u
    where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
  );
end
$$;

comment on function private.account_is_live(uuid) is 'Whether an account is there and neither banned nor deleted.';
