-- Purpose: who may do what. Roles hold permissions, people hold roles, and every check reads these tables.
-- Locks and risks: new objects only.
-- Undo: drop the tables and functions below.

create table public.app_roles (
  name text constraint app_roles_pkey primary key constraint app_roles_name_check check (name ~ '^[a-z][a-z_]{1,30}$'),
  description text not null
);

comment on table public.app_roles is E'Roles that people hold\n\nMade by migrations, given by set_role.';
comment on column public.app_roles.name is 'The role.';
comment on column public.app_roles.description is 'Who is meant to hold it.';

create table public.permissions (
  name text constraint permissions_pkey primary key
    constraint permissions_name_check check (name ~ '^[a-z][a-z_]{1,30}\.[a-z][a-z_]{1,30}$'),
  description text not null,
  requires_mfa boolean not null default false
);

comment on table public.permissions is E'What a role can allow\n\nMade by migrations; functions and policies ask for them by name.';
comment on column public.permissions.name is 'The permission.';
comment on column public.permissions.description is 'What its holder may do.';
comment on column public.permissions.requires_mfa is 'Held only in a session that has passed a second factor.';

create table public.role_permissions (
  role text not null constraint role_permissions_role_fkey references public.app_roles (name) on delete cascade,
  permission text not null constraint role_permissions_permission_fkey references public.permissions (name) on delete cascade,
  constraint role_permissions_pkey primary key (role, permission)
);

comment on table public.role_permissions is 'What each role may do.';
comment on column public.role_permissions.role is 'The role.';
comment on column public.role_permissions.permission is 'What it may do.';

create index role_permissions_permission_idx on public.role_permissions (permission);

create table public.user_roles (
  user_id uuid not null constraint user_roles_user_id_fkey references auth.users (id) on delete cascade,
  role text not null constraint user_roles_role_fkey references public.app_roles (name) on delete restrict,
  granted_by uuid constraint user_roles_granted_by_fkey references auth.users (id) on delete set null,
  granted_at timestamptz not null default now(),
  expires_at timestamptz constraint user_roles_expires_at_check check (expires_at > granted_at),
  constraint user_roles_pkey primary key (user_id, role)
);

comment on table public.user_roles is E'Who holds which role\n\nWritten by set_role only. Every check reads this table, so a role that is taken is gone at once.';
comment on column public.user_roles.user_id is 'Who holds it.';
comment on column public.user_roles.role is 'The role.';
comment on column public.user_roles.granted_by is 'Who gave it; NULL for an operator with the secret key, or an account that is gone.';
comment on column public.user_roles.granted_at is 'When.';
comment on column public.user_roles.expires_at is 'When it ends by itself; NULL for never.';

create index user_roles_role_idx on public.user_roles (role);
create index user_roles_granted_by_idx on public.user_roles (granted_by);

alter table public.app_roles enable row level security;
alter table public.permissions enable row level security;
alter table public.role_permissions enable row level security;
alter table public.user_roles enable row level security;

insert into public.app_roles (name, description) values
('admin', 'Runs the place; may do everything.'),
('support', 'Helps people; reads accounts and what was done to them.');

insert into public.permissions (name, description) values
('users.read', 'Read every account.'),
('users.write', 'Change, ban and sign out people who may do no more than oneself.'),
('users.delete', 'Delete the accounts of people who may do no more than oneself.'),
('roles.grant', 'Give and take roles that allow no more than one''s own.'),
('audit.read', 'Read the audit log.'),
('flags.write', 'Turn features on and off.'),
('limits.write', 'Change rate limits.');

insert into public.role_permissions (role, permission)
select 'admin', p.name from public.permissions as p
union all
values ('support', 'users.read'), ('support', 'audit.read');

-- file: sql/functions/private/require_user.sql
-- The one place that says who calls; nothing in a body does.
create or replace function private.require_user()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if auth.uid() is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  return auth.uid();
end
$$;

comment on function private.require_user() is 'The caller''s id; refuses who is not signed in.';
grant execute on function private.require_user() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/is_service.sql
-- The role that the request runs under, which PostgREST took from a verified token; within a definer function current_user is
-- the owner, but this setting stays.
create or replace function private.is_service()
returns boolean
language sql
stable
security invoker
set search_path = ''
return current_setting('role') = 'service_role';

comment on function private.is_service() is 'Whether the request carries the secret key.';
grant execute on function private.is_service() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/refuse_estimated_counts.sql
-- `Prefer: count=planned` answers with the planner's guess, which is made from statistics over everybody's rows: filtered by
-- another person's id it tells how many rows that person has. `estimated` becomes the same guess above 1000 rows. The guess is made
-- before any policy is asked, so the request is refused before there is one. For the function that runs before each request.
create or replace function private.refuse_estimated_counts(p_headers jsonb)
returns void
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if not private.is_service() and p_headers ->> 'prefer' ~* 'count\s*=\s*"?(planned|estimated)' then
    raise sqlstate 'PT400' using
      message = 'Only exact counts are given.', detail = 'COUNT_NOT_EXACT', hint = 'Send Prefer: count=exact, or no count.';
  end if;
end
$$;

comment on function private.refuse_estimated_counts(jsonb) is 'Refuses counts that the planner guesses from everybody''s rows.';
grant execute on function private.refuse_estimated_counts(jsonb) to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/roles_of.sql
create or replace function private.roles_of(p_user_id uuid)
returns text[]
language sql
stable
security invoker
set search_path = ''
as $$
  select array(
    select ur.role from public.user_roles as ur
    where ur.user_id = p_user_id and (ur.expires_at is null or ur.expires_at > now())
    order by ur.role
  );
$$;

comment on function private.roles_of(uuid) is 'The roles that a person holds now. For definer functions that have checked who asks.';
-- end file

-- file: sql/functions/private/permissions_of.sql
-- Definer: reads everybody's roles. Not callable through the API.
-- A permission that is held through two roles lasts as long as the longer.
create or replace function private.permissions_of(p_user_id uuid)
returns table (permission text, until timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select rp.permission, max(coalesce(ur.expires_at, 'infinity'))
  from public.user_roles as ur
  join public.role_permissions as rp on rp.role = ur.role
  where ur.user_id = p_user_id and (ur.expires_at is null or ur.expires_at > now())
  group by rp.permission;
$$;

comment on function private.permissions_of(uuid) is 'What a person may do now, and until when.';
-- end file

-- file: sql/functions/private/has_permission.sql
-- Definer: reads the roles whatever the caller may read. In a policy, wrap it in a select, so that it runs once a query rather than
-- once a row. The tables decide, not the token: a right that is taken back is gone with the next statement. A request under an
-- API key has no permission: such a key acts on its owner's rows only. What requires_mfa is held only in a session that has passed a
-- second factor, which the token says (`aal`); Auth alone can write that. In PL/pgSQL, which keeps its plan: a tenth of the time.
create or replace function private.has_permission(p_permission text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (auth.jwt() ->> 'api_key_id') is null and exists (
    select from public.user_roles as ur
    join public.role_permissions as rp on rp.role = ur.role
    join public.permissions as p on p.name = rp.permission
    where ur.user_id = auth.uid() and rp.permission = p_permission and (ur.expires_at is null or ur.expires_at > now())
      and (not p.requires_mfa or auth.jwt() ->> 'aal' = 'aal2')
  );
end
$$;

comment on function private.has_permission(text) is 'Whether the caller holds a permission now.';
grant execute on function private.has_permission(text) to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/holds_behind_mfa.sql
-- Definer: reads the caller's roles.
create or replace function private.holds_behind_mfa(p_permission text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (
    select from private.permissions_of(auth.uid()) as held
    join public.permissions as p on p.name = held.permission
    where held.permission = p_permission and p.requires_mfa
  );
end
$$;

comment on function private.holds_behind_mfa(text) is 'Whether the caller would hold a permission in a session with a second factor.';
grant execute on function private.holds_behind_mfa(text) to authenticated, service_role;
-- end file

-- file: sql/functions/private/require_permission.sql
create or replace function private.require_permission(p_permission text)
returns void
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if private.is_service() then
    return;
  end if;
  perform private.require_user();
  if not private.has_permission(p_permission) then
    if auth.jwt() ->> 'api_key_id' is null and private.holds_behind_mfa(p_permission) then
      raise sqlstate 'PT403' using
        message = 'This takes a second factor.', detail = 'MFA_REQUIRED', hint = 'Verify it with auth.mfa, then try again.';
    end if;
    raise sqlstate 'PT403' using
      message = 'You may not do this.', detail = 'PERMISSION_DENIED',
      hint = format('It takes the permission %s.', p_permission);
  end if;
end
$$;

comment on function private.require_permission(text) is 'Refuses a caller without this permission; the secret key has them all.';
grant execute on function private.require_permission(text) to authenticated, service_role;
-- end file

-- file: sql/functions/private/require_not_above.sql
-- Definer: looks at another person's roles. Rank is what one may do, and until when: whoever holds a right that the caller lacks, or
-- holds for a shorter time, is above the caller. So a guest admin does not outlast the others by removing them.
create or replace function private.require_not_above(p_user_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if not private.is_service() and p_user_id is distinct from auth.uid() and exists (
    select from private.permissions_of(p_user_id) as theirs
    left join private.permissions_of(auth.uid()) as mine on mine.permission = theirs.permission
    where not private.has_permission(theirs.permission) or theirs.until > mine.until
  ) then
    raise sqlstate 'PT403' using
      message = 'This person may do more than you.', detail = 'ABOVE_YOURSELF',
      hint = 'Ask somebody who holds all of that person''s permissions.';
  end if;
end
$$;

comment on function private.require_not_above(uuid) is 'Refuses to touch a person who holds a permission that the caller lacks.';
grant execute on function private.require_not_above(uuid) to authenticated, service_role;
-- end file

-- file: sql/functions/private/require_an_admin.sql
-- Definer: looks at everybody's roles. The lock makes two removals take turns; whoever comes second sees that it would be the last.
create or replace function private.require_an_admin()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(20261120, 3);
  if not exists (
    select from public.user_roles as ur
    where ur.role = 'admin' and ur.expires_at is null and private.account_is_live(ur.user_id)
  ) then
    raise sqlstate 'PT409' using
      message = 'The last admin cannot go.', detail = 'LAST_ADMIN', hint = 'Make somebody else admin first, without an end.';
  end if;
end
$$;

comment on function private.require_an_admin() is 'Refuses what leaves nobody who is admin without an end and not banned.';
-- end file

-- file: sql/functions/private/tg_user_roles__keep_an_admin.sql
-- On the table, so that no way around it is left: set_role, a deleted account, an operator's statement.
create or replace function private.tg_user_roles__keep_an_admin()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (select from gone as g where g.role = 'admin' and g.expires_at is null) then
    perform private.require_an_admin();
  end if;
  return null;
end
$$;

comment on function private.tg_user_roles__keep_an_admin() is 'Refuses that the last admin loses the role.';
-- end file

-- file: sql/functions/private/require_grantable.sql
-- Definer: looks at the caller's own permissions. p_until is when the grant would end, NULL where a role is taken.
create or replace function private.require_grantable(p_role text, p_until timestamptz)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  if not exists (select from public.app_roles as r where r.name = p_role) then
    raise sqlstate 'PT404' using
      message = 'There is no such role.', detail = 'ROLE_NOT_FOUND', hint = 'GET /app_roles lists them.';
  end if;
  if private.is_service() then
    return;
  end if;
  select min(coalesce(mine.until, '-infinity')) into v_until
  from public.role_permissions as rp
  left join private.permissions_of(auth.uid()) as mine on mine.permission = rp.permission
  where rp.role = p_role;
  if v_until = '-infinity' then
    raise sqlstate 'PT403' using
      message = 'This role may do more than you.', detail = 'ABOVE_YOURSELF',
      hint = 'A role is given and taken by somebody who holds all of its permissions.';
  end if;
  if p_until > v_until then
    raise sqlstate 'PT403' using
      message = 'You hold this right for a shorter time yourself.', detail = 'GRANT_OUTLASTS_YOURS',
      hint = format('Set p_expires_at to %s at most.', to_char(v_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
  end if;
end
$$;

comment on function private.require_grantable(text, timestamptz) is 'Refuses a role that is not there, may do more than the caller, or would outlast the caller''s own right.';
-- end file

-- file: sql/functions/private/set_role.sql
-- Definer: no role of the API writes user_roles. Nobody gives away, or takes, what he does not hold himself, nor for longer than
-- he holds it.
create or replace function private.set_role(p_user_id uuid, p_role text, p_granted boolean, p_expires_at timestamptz)
returns text[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('roles.grant');
  -- Whoever takes the caller's own right at the same time comes before this, or after it.
  perform from public.user_roles as ur where ur.user_id in (auth.uid(), p_user_id) order by ur.user_id, ur.role for update;
  perform private.require_permission('roles.grant');
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users finds accounts.';
  end if;
  if p_expires_at <= now() or p_expires_at > now() + interval '10 years' then
    raise sqlstate 'PT422' using
      message = 'A role ends in the future, within ten years, or not at all.', detail = 'EXPIRY_OUT_OF_RANGE',
      hint = 'Leave p_expires_at out for a role without an end.';
  end if;
  perform private.require_not_above(p_user_id);

  perform private.require_grantable(p_role, case when p_granted is not false then coalesce(p_expires_at, 'infinity') end);

  if p_granted is false then
    delete from public.user_roles as ur where ur.user_id = p_user_id and ur.role = p_role;
  else
    insert into public.user_roles as ur (user_id, role, granted_by, expires_at)
    values (p_user_id, p_role, auth.uid(), p_expires_at)
    on conflict (user_id, role) do update set
      granted_by = excluded.granted_by, granted_at = now(), expires_at = excluded.expires_at
    where ur.expires_at is distinct from excluded.expires_at;
  end if;
  return private.roles_of(p_user_id);
end
$$;

comment on function private.set_role(uuid, text, boolean, timestamptz) is 'Gives a person a role, or takes it. Returns the roles held now.';
grant execute on function private.set_role(uuid, text, boolean, timestamptz) to authenticated, service_role;
-- end file

-- file: sql/functions/public/set_role.sql
create or replace function public.set_role(
  p_user_id uuid, p_role text, p_granted boolean default true, p_expires_at timestamptz default null
)
returns text[]
language sql
volatile
security invoker
set search_path = ''
return private.set_role(p_user_id, p_role, p_granted, p_expires_at);

comment on function public.set_role(uuid, text, boolean, timestamptz) is
  E'Give or take a role\n\nFor holders of roles.grant. Nobody gives or takes what he does not hold, nor for longer than he holds it. Returns the roles that the person holds now.';
grant execute on function public.set_role(uuid, text, boolean, timestamptz) to authenticated, service_role;
-- end file

-- file: sql/policies/app_roles.sql
-- What roles there are is no secret; they are made by migrations.
revoke all on public.app_roles from anon, authenticated, service_role;
grant select on public.app_roles to authenticated, service_role;

drop policy if exists "roles are known" on public.app_roles;
create policy "roles are known" on public.app_roles for select to authenticated using (true);
-- end file

-- file: sql/policies/permissions.sql
revoke all on public.permissions from anon, authenticated, service_role;
grant select on public.permissions to authenticated, service_role;

drop policy if exists "permissions are known" on public.permissions;
create policy "permissions are known" on public.permissions for select to authenticated using (true);
-- end file

-- file: sql/policies/role_permissions.sql
revoke all on public.role_permissions from anon, authenticated, service_role;
grant select on public.role_permissions to authenticated, service_role;

drop policy if exists "what a role may do is known" on public.role_permissions;
create policy "what a role may do is known" on public.role_permissions for select to authenticated using (true);
-- end file

-- file: sql/policies/user_roles.sql
-- One's own roles, or everybody's for holders of users.read. Written by set_role only.
revoke all on public.user_roles from anon, authenticated, service_role;
grant select on public.user_roles to authenticated, service_role;

drop policy if exists "people read their own roles" on public.user_roles;
create policy "people read their own roles" on public.user_roles
for select to authenticated
using (user_id = (select auth.uid()) or (select private.has_permission('users.read')));
-- end file

create trigger _100_keep_an_admin_after_update after update on public.user_roles
referencing old table as gone
for each statement execute function private.tg_user_roles__keep_an_admin();

create trigger _100_keep_an_admin_after_delete after delete on public.user_roles
referencing old table as gone
for each statement execute function private.tg_user_roles__keep_an_admin();
