-- Stand-in: Supabase Vault 0.3. Same table, view, functions and grants.
-- Lacks: a key outside the database. The platform encrypts with libsodium and a root key the database server
-- holds; here the secret is encrypted with pgcrypto under a key that lies in the same database, readable only
-- by supabase_admin. It keeps secrets out of dumps of vault.secrets; it is no protection of the data folder.
create table if not exists vault._standin_key (
  only_row boolean primary key default true check (only_row),
  key text not null default encode(extensions.gen_random_bytes(32), 'hex')
);
comment on table vault._standin_key is 'Embedded stack only: key of the Vault stand-in.';
insert into vault._standin_key default values on conflict do nothing;
revoke all on table vault._standin_key from public;
alter table vault._standin_key enable row level security;

create table if not exists vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea default extensions.gen_random_bytes(16),
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
comment on table vault.secrets is
  'Table with encrypted `secret` column for storing sensitive information on disk.';
create unique index if not exists secrets_name_idx on vault.secrets (name) where name is not null;

create or replace function vault._standin_encrypt(p_secret text) returns text
language sql volatile security definer set search_path = ''
begin atomic
  select encode(extensions.pgp_sym_encrypt(p_secret, key), 'base64') from vault._standin_key;
end;

create or replace function vault._standin_decrypt(p_secret text) returns text
language sql stable security definer set search_path = ''
begin atomic
  select extensions.pgp_sym_decrypt(decode(p_secret, 'base64'), key) from vault._standin_key;
end;
revoke all on function vault._standin_encrypt(text), vault._standin_decrypt(text) from public;

create or replace view vault.decrypted_secrets as
  select
    id, name, description, secret,
    vault._standin_decrypt(secret) as decrypted_secret,
    key_id, nonce, created_at, updated_at
  from vault.secrets;

create or replace function vault.create_secret(
  new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
)
returns uuid
language sql volatile security definer set search_path = ''
begin atomic
  insert into vault.secrets (secret, name, description)
  values (vault._standin_encrypt(new_secret), new_name, coalesce(new_description, ''))
  returning id;
end;

create or replace function vault.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null,
  new_description text default null, new_key_id uuid default null
)
returns void
language sql volatile security definer set search_path = ''
begin atomic
  update vault.secrets
  set
    secret = case when new_secret is null then secret else vault._standin_encrypt(new_secret) end,
    name = coalesce(new_name, name),
    description = coalesce(new_description, description),
    updated_at = now()
  where id = secret_id;
end;

revoke all on function
  vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid) from public;
grant usage on schema vault to postgres with grant option;
grant select, delete, truncate, references on vault.secrets, vault.decrypted_secrets
  to postgres with grant option;
grant execute on function
  vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid),
  vault._standin_decrypt(text) to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function
  vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid),
  vault._standin_decrypt(text) to service_role;
