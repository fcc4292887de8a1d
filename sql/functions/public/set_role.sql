create or replace function public.set_role(
  p_user_id uuid, p_role text, p_granted boolean default true, p_expires_at timestamptz default null
)
returns text[]
language sql
volatile
security invoker
set search_path = ''
return private.set_role(p_user_id, p_role, p_granted, p_expires_at);

comment on function public.set_role(uuid, text, boolean, timestamptz) is
  E'Give or take a role\n\nFor holders of roles.grant. Nobody gives or takes what he does not hold, nor for longer than he holds it. Returns the roles that the person holds now.';
grant execute on function public.set_role(uuid, text, boolean, timestamptz) to authenticated, service_role;
