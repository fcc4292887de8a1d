-- Definer: reads everybody's roles. Not callable through the API.
-- A permission that is held through two roles lasts as long as the longer.
create or replace function private.permissions_of(p_user_id uuid)
returns table (permission text, until timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select rp.permission, max(coalesce(ur.expires_at, 'infinity'))
  from public.user_roles as ur
  join public.role_permissions as rp on rp.role = ur.role
  where ur.user_id = p_user_id and (ur.expires_at is null or ur.expires_at > now())
  group by rp.permission;
$$;

comment on function private.permissions_of(uuid) is 'What a person may do now, and until when.';
