create or replace function public.create_api_key(
  p_name text, p_scopes text[] default '{read}', p_expires_at timestamptz default null
)
returns public.new_api_key
language sql
volatile
security invoker
set search_path = ''
return private.create_api_key(p_name, p_scopes, p_expires_at);

comment on function public.create_api_key(text, text[], timestamptz) is
  E'Make an API key\n\nThe answer holds the key, and nothing else ever will: keep it. Scopes are read, or read and write; it ends after a year, or at p_expires_at (two years at most). Twenty a person. Refusals: KEY_NAME_OUT_OF_RANGE, UNKNOWN_SCOPE, EXPIRY_OUT_OF_RANGE, TOO_MANY_API_KEYS, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.create_api_key(text, text[], timestamptz) to authenticated;
