-- The one place that says who calls; nothing in a body does.
create or replace function private.require_user()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if auth.uid() is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  return auth.uid();
end
$$;

comment on function private.require_user() is 'The caller''s id; refuses who is not signed in.';
grant execute on function private.require_user() to anon, authenticated, service_role;
