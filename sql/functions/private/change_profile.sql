-- Definer, for its two callers, who have checked whose profile it is. Only what is named here can be changed; a key with null empties.
create or replace function private.change_profile(p_user_id uuid, p_changes jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_key text;
begin
  if jsonb_typeof(p_changes) is distinct from 'object' then
    raise sqlstate 'PT422' using
      message = 'p_changes is an object.', detail = 'INVALID_PAYLOAD', hint = 'Send {"p_changes": {"display_name": "Ann"}}.';
  end if;
  for v_key in
    select e.key from jsonb_each(p_changes) as e
    where e.key not in ('display_name', 'username', 'avatar_url', 'locale', 'time_zone')
      or jsonb_typeof(e.value) not in ('string', 'null')
  loop
    raise sqlstate 'PT422' using
      message = 'This cannot be changed, or is no text.', detail = 'FIELD_REFUSED',
      hint = format('%s: display_name, username, avatar_url, locale and time_zone can, by text or null.', left(v_key, 60));
  end loop;
  update public.profiles as p set
    display_name = case when p_changes ? 'display_name' then p_changes ->> 'display_name' else p.display_name end,
    username = case when p_changes ? 'username' then p_changes ->> 'username' else p.username end,
    avatar_url = case when p_changes ? 'avatar_url' then p_changes ->> 'avatar_url' else p.avatar_url end,
    locale = case when p_changes ? 'locale' then p_changes ->> 'locale' else p.locale end,
    time_zone = case when p_changes ? 'time_zone' then p_changes ->> 'time_zone' else p.time_zone end
  where p.id = p_user_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such profile.', detail = 'PROFILE_NOT_FOUND', hint = 'Call sync_profile() once.';
  end if;
exception
  when unique_violation then
    raise sqlstate 'PT409' using
      message = 'This user name is taken.', detail = 'USERNAME_TAKEN', hint = 'Choose another one.';
  when check_violation then
    raise sqlstate 'PT422' using
      message = 'A field is out of range.', detail = 'FIELD_OUT_OF_RANGE',
      hint = 'display_name: 1 to 80 characters; username: 3 to 30 of a-z, 0-9 and _; avatar_url: https, at most 500; locale: as in de-CH; time_zone: as in Europe/Zurich.';
end
$$;

comment on function private.change_profile(uuid, jsonb) is 'Changes the named fields of a profile.';
