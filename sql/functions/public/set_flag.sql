create or replace function public.set_flag(p_name text, p_enabled boolean)
returns public.feature_flags
language sql
volatile
security invoker
set search_path = ''
return private.set_flag(p_name, p_enabled);

comment on function public.set_flag(text, boolean) is
  E'Switch a feature\n\nFor holders of flags.write. Counts from the next statement of everybody; the same value again changes nothing.';
grant execute on function public.set_flag(text, boolean) to authenticated, service_role;
