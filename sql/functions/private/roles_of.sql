create or replace function private.roles_of(p_user_id uuid)
returns text[]
language sql
stable
security invoker
set search_path = ''
as $$
  select array(
    select ur.role from public.user_roles as ur
    where ur.user_id = p_user_id and (ur.expires_at is null or ur.expires_at > now())
    order by ur.role
  );
$$;

comment on function private.roles_of(uuid) is 'The roles that a person holds now. For definer functions that have checked who asks.';
