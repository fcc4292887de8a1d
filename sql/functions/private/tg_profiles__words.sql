create or replace function private.tg_profiles__words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.note_words(new.id);
  return null;
end
$$;

comment on function private.tg_profiles__words() is 'Keeps what an account is found by. Definer: no API role may write that.';
