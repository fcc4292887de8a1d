-- Auth calls this as supabase_auth_admin before it signs a token, with {"user_id": …, "claims": …}.
-- The claim is a convenience for front ends, which show or hide things by it. It is as old as the token, so nothing in the
-- database reads it: every check asks public.user_roles, where a revoked right is gone at once.
-- Definer: Auth's role needs no right on our tables beyond this call, and row-level security would hide them from it.
create or replace function private.hook_custom_access_token(p_event jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'claims',
    (p_event -> 'claims') || jsonb_build_object('app_roles', private.roles_of((p_event ->> 'user_id')::uuid))
  );
end
$$;

comment on function private.hook_custom_access_token(jsonb) is
  'Auth''s custom-access-token hook: the roles held now, in the claim app_roles. No check may read that claim.';
grant execute on function private.hook_custom_access_token(jsonb) to supabase_auth_admin;
