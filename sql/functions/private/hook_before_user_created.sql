-- Auth calls this as supabase_auth_admin before it makes an account, with {"metadata": …, "user": …}. Accounts that an
-- administrator makes (POST /admin/users) do not pass here; invitations and generated sign-up links do.
-- Definer: Auth's role needs no right on our tables beyond this call, and row-level security would hide them from it.
-- Whatever is raised here refuses the sign-up too, with a 500: closed rather than open.
create or replace function private.hook_before_user_created(p_event jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- Anonymous accounts come without a provider.
  v_provider text := coalesce(p_event #>> '{user,app_metadata,provider}', 'anonymous');
begin
  if not private.flag('registration') then
    return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Registration is closed at the moment.'));
  end if;
  if v_provider not in ('email', 'phone', 'anonymous') and not private.flag('social_login') then
    return jsonb_build_object(
      'error', jsonb_build_object('http_code', 403, 'message', 'Sign-up through another provider is switched off at the moment.')
    );
  end if;
  return '{}';
end
$$;

comment on function private.hook_before_user_created(jsonb) is
  'Auth''s before-user-created hook: refuses sign-ups while the flags registration or social_login say so.';
grant execute on function private.hook_before_user_created(jsonb) to supabase_auth_admin;
