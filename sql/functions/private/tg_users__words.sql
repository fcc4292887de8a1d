-- Definer: the Auth server's role may not write here. As the trigger that makes the profile, it never refuses an account.
create or replace function private.tg_users__words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.note_words(new.id);
  return null;
exception when others then
  raise warning 'account % is not found by its words: %', new.id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_users__words() is 'Keeps what an account is found by, when its address changes.';
