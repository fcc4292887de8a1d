create or replace function public.notify_many(
  p_user_ids uuid[], p_kind text, p_data jsonb default '{}', p_title text default null, p_body text default null,
  p_key text default null
)
returns bigint
language sql
volatile
security invoker
set search_path = ''
return (select count(*) from private.notify_many(p_user_ids, p_kind, p_data, p_title, p_body, p_key));

comment on function public.notify_many(uuid[], text, jsonb, text, text, text) is
  E'Notify people\n\nUp to 10000 at once; answers how many notifications were made. Under the same p_key a person is notified once. For back ends with the secret key.';
grant execute on function public.notify_many(uuid[], text, jsonb, text, text, text) to service_role;
