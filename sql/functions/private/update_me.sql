-- Definer, for private.change_profile. The caller's own profile only.
create or replace function private.update_me(p_changes jsonb)
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.change_profile(private.require_user(), p_changes);
  return private.me();
end
$$;

comment on function private.update_me(jsonb) is 'Changes the caller''s own profile.';
grant execute on function private.update_me(jsonb) to authenticated;
