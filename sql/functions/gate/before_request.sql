-- PostgREST calls this before every request, in the request's transaction and under the token's role. Invoker, since only an invoker
-- may change the role: an API key comes as `anon` and goes on as `authenticated`. Without `set search_path`, so that it is inlined into
-- PostgREST's select; a body that is parsed here and now resolves no name later.
create or replace function gate.before_request()
returns text
language sql
volatile
security invoker
return pg_catalog.set_config('role', private.before_request(), true);

comment on function gate.before_request() is 'Admits or refuses a request; PostgREST''s db-pre-request.';
grant execute on function gate.before_request() to anon, authenticated, service_role;
