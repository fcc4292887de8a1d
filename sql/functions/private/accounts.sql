-- Definer: an account's e-mail and times are in auth.users, which no API role may read. Called by functions that have checked.
create or replace function private.accounts(p_user_ids uuid[])
returns setof public.account
language sql
stable
security definer
set search_path = ''
as $$
  select
    p.id, u.email::text, u.phone::text, p.display_name, p.username, p.avatar_url, p.locale, p.time_zone,
    private.roles_of(p.id) as roles,
    array(select x.permission from private.permissions_of(p.id) as x order by x.permission) as permissions,
    u.email_confirmed_at is not null or u.phone_confirmed_at is not null as confirmed,
    u.last_sign_in_at, u.banned_until, p.created_at, p.updated_at
  from unnest(p_user_ids) with ordinality as asked (id, n)
  join public.profiles as p on p.id = asked.id
  join auth.users as u on u.id = p.id
  order by asked.n;
$$;

comment on function private.accounts(uuid[]) is 'People''s accounts and profiles, with the roles and permissions held now, in the order asked for.';
