-- Definer: reads auth.users. What identifies a person wherever it stands: id, addresses, numbers. Not the name, which others may
-- bear; whoever sweeps for a name adds it. Shorter than six characters would be found everywhere.
create or replace function private.person_needles(p_user_id uuid)
returns text[]
language sql
stable
security definer
set search_path = ''
as $$
  select array_agg(distinct n.needle)
  from (
    select p_user_id::text as needle
    union all
    select lower(v.needle)
    from auth.users as u
    cross join lateral (values (u.email::text), (u.phone::text), (u.email_change::text), (u.phone_change::text)) as v (needle)
    where u.id = p_user_id
  ) as n
  where length(n.needle) >= 6;
$$;

comment on function private.person_needles(uuid) is 'The strings by which an account is found in text: its id, e-mail addresses and phone numbers.';
