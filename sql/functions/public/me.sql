create or replace function public.me()
returns public.profiles
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_profile public.profiles;
begin
  select p.* into v_profile from public.profiles as p where p.id = (select auth.uid());
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no profile yet.', detail = 'PROFILE_NOT_FOUND', hint = 'Call sync_profile() once.';
  end if;
  return v_profile;
end
$$;

comment on function public.me() is E'My profile\n\nThe signed-in person''s own profile.';
grant execute on function public.me() to authenticated;
