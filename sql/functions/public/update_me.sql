create or replace function public.update_me(p_changes jsonb)
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.update_me(p_changes);

comment on function public.update_me(jsonb) is
  E'Change my profile\n\np_changes: any of display_name, username, avatar_url, locale and time_zone; null empties. Anything else is refused.';
grant execute on function public.update_me(jsonb) to authenticated;
