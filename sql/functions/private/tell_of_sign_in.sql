-- private.notify comes with a later migration, which is there before anything is predicted. A message that cannot be written must
-- not undo the batch of risks that it belongs to.
create or replace function private.tell_of_sign_in(p_user_id uuid, p_data jsonb)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  perform private.notify(
    p_user_id, 'account', p_data, 'Was this sign-in you?', null, 'sign_in:' || (p_data ->> 'login_event_id')
  );
exception when others then
  raise warning 'account % is not told of a sign-in: %', p_user_id, sqlerrm;
end
$$;

comment on function private.tell_of_sign_in(uuid, jsonb) is 'Tells a person of a sign-in that may not have been theirs.';
