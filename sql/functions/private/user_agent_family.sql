-- The order matters: most browsers also claim to be the ones below them.
create or replace function private.user_agent_family(p_user_agent text)
returns text
language sql
immutable
parallel safe
security invoker
set search_path = ''
return case
  when p_user_agent is null or p_user_agent = '' then null
  when p_user_agent ~* '^(curl|wget|python|go-http|java/|libwww|axios|node|ruby|php|postman|apache-http|httpie)' then 'script'
  when p_user_agent ~* '(okhttp|cfnetwork|dart/|electron|reactnative)' then 'app'
  when p_user_agent ~* '(edg|edge|edgios|edga)/' then 'edge'
  when p_user_agent ~* '(opr|opera)/' then 'opera'
  when p_user_agent ~* 'samsungbrowser/' then 'samsung'
  when p_user_agent ~* '(firefox|fxios)/' then 'firefox'
  when p_user_agent ~* '(chrome|chromium|crios)/' then 'chrome'
  when p_user_agent ~* 'safari/' then 'safari'
  else 'other'
end;

comment on function private.user_agent_family(text) is 'The kind of client: a browser''s name, app, script or other; NULL when it named none.';
