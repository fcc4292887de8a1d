create or replace function public.mute_notifications(p_kind text, p_muted boolean default true)
returns public.notification_setting
language sql
volatile
security invoker
set search_path = ''
return private.mute_notifications(p_kind, p_muted);

comment on function public.mute_notifications(text, boolean) is
  E'Mute a kind of notification\n\nWhat comes while it is muted is not made at all. `{"p_muted": false}` takes it back.';
grant execute on function public.mute_notifications(text, boolean) to authenticated;
