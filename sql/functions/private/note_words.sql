create or replace function private.note_words(p_user_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  insert into private.account_words (user_id, words)
  select p.id, lower(concat_ws(' ', u.email, u.phone, p.display_name, p.username))
  from public.profiles as p
  join auth.users as u on u.id = p.id
  where p.id = p_user_id
  on conflict (user_id) do update set words = excluded.words;
$$;

comment on function private.note_words(uuid) is 'Writes what an account is found by: its address, number and names.';
