-- The role that the request runs under, which PostgREST took from a verified token; within a definer function current_user is
-- the owner, but this setting stays.
create or replace function private.is_service()
returns boolean
language sql
stable
security invoker
set search_path = ''
return current_setting('role') = 'service_role';

comment on function private.is_service() is 'Whether the request carries the secret key.';
grant execute on function private.is_service() to anon, authenticated, service_role;
