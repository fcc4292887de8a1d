-- Keyed, because there are so few addresses that a plain hash of each could be written down. Without the key nothing is kept.
create or replace function private.keyed_hash(p_text text)
returns bytea
language sql
stable
security invoker
set search_path = ''
as $$
  select substr(extensions.hmac(convert_to(p_text, 'UTF8'), convert_to(s.decrypted_secret, 'UTF8'), 'sha256'), 1, 16)
  from vault.decrypted_secrets as s
  where s.name = 'rowcast_sign_in_key' and p_text is not null;
$$;

comment on function private.keyed_hash(text) is 'HMAC-SHA256 under the Vault''s rowcast_sign_in_key, 16 bytes; NULL without the key.';
