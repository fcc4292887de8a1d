-- Definer: auth.users is Auth's. Only for where its admin API is not: the embedded stack, and an account restored from an
-- export. Auth reads empty strings, not NULLs, from its token columns; columns that this version lacks are left out.
create or replace function private.make_account(p_account jsonb, p_password text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := coalesce((p_account ->> 'id')::uuid, gen_random_uuid());
  v_email text := lower(btrim(p_account ->> 'email'));
  -- An address that an export says was never confirmed stays so.
  v_confirmed jsonb := coalesce(p_account -> 'email_confirmed_at', to_jsonb(now()));
  v_user jsonb;
  v_identity jsonb;
begin
  if (length(v_email) <= 255 and v_email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+\.[^@[:space:][:cntrl:]]+$') is not true then
    raise sqlstate 'PT422' using
      message = 'That is no e-mail address.', detail = 'EMAIL_INVALID', hint = 'Send one like ann@example.com.';
  end if;
  if (length(p_password) >= 8 and octet_length(p_password) <= 72) is false then
    raise sqlstate 'PT422' using
      message = 'A password takes at least 8 characters and at most 72 bytes.', detail = 'PASSWORD_INVALID', hint = 'Choose another.';
  end if;
  if exists (select from auth.users as u where u.id = v_id or lower(u.email) = v_email) then
    raise sqlstate 'PT409' using
      message = 'There is such an account already.', detail = 'ACCOUNT_EXISTS', hint = 'Erase it first, or take another address.';
  end if;

  v_user := jsonb_build_object(
    'instance_id', '00000000-0000-0000-0000-000000000000', 'aud', 'authenticated', 'role', 'authenticated', 'id', v_id,
    'email', v_email, 'phone', p_account ->> 'phone',
    'encrypted_password', coalesce(extensions.crypt(p_password, extensions.gen_salt('bf', 10)), ''),
    'email_confirmed_at', v_confirmed, 'confirmed_at', v_confirmed, 'phone_confirmed_at', p_account -> 'phone_confirmed_at',
    'last_sign_in_at', p_account -> 'last_sign_in_at',
    'raw_app_meta_data', '{"provider": "email", "providers": ["email"]}'::jsonb,
    'raw_user_meta_data', coalesce(p_account -> 'raw_user_meta_data', '{}'),
    'created_at', coalesce((p_account ->> 'created_at')::timestamptz, now()), 'updated_at', now(),
    'is_sso_user', false, 'is_anonymous', false,
    'confirmation_token', '', 'recovery_token', '', 'email_change', '', 'email_change_token_new', '',
    'email_change_token_current', '', 'phone_change', '', 'phone_change_token', '', 'reauthentication_token', ''
  );
  perform private.insert_row('auth.users', v_user);
  v_identity := jsonb_build_object(
    'id', gen_random_uuid(), 'provider', 'email', 'provider_id', v_id::text, 'user_id', v_id,
    'identity_data', jsonb_build_object('sub', v_id::text, 'email', v_email, 'email_verified', true, 'phone_verified', false),
    'created_at', now(), 'updated_at', now()
  );
  perform private.insert_row('auth.identities', v_identity);
  return v_id;
end
$$;

comment on function private.make_account(jsonb, text) is
  'Inserts an account with its identity, as Auth would; without a password its owner gets in by recovery or a one-time code.';
grant execute on function private.make_account(jsonb, text) to service_role;
