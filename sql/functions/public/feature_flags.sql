create or replace function public.feature_flags()
returns setof public.feature_flag_state
language sql
stable
security invoker
set search_path = ''
begin atomic
select f.* from private.feature_flags() as f;
end;

comment on function public.feature_flags() is E'What is on\n\nAll feature flags by name. Needs no sign-in: front ends ask before they show a form.';
grant execute on function public.feature_flags() to anon, authenticated, service_role;
