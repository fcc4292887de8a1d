-- Definer: it reads Auth's tables and writes the record. The person is the token's, never an argument.
create or replace function private.request_export()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_settings private.personal_data_settings;
  v_document jsonb;
  v_request public.export_requests;
  v_next timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('export ' || v_user::text, 0));
  select s.* into v_settings from private.personal_data_settings as s;
  if not exists (select from auth.users as u where u.id = v_user) then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  select e.requested_at + interval '1 day' into v_next
  from public.export_requests as e
  where e.user_id = v_user and e.requested_at > now() - interval '1 day'
  order by e.requested_at desc
  offset greatest(v_settings.exports_per_day - 1, 0)
  limit 1;
  if v_next is not null or v_settings.exports_per_day = 0 then
    raise sqlstate 'PT429' using
      message = format('An account is exported at most %s times a day.', v_settings.exports_per_day),
      detail = 'EXPORT_LIMIT_REACHED', hint = format('Ask again from %s on.', v_next);
  end if;

  insert into public.export_requests (user_id) values (v_user) returning * into v_request;
  v_document := private.export_document(v_user, v_settings.export_page_rows);
  update public.export_requests as e set
    state = case when (v_document ->> 'complete')::boolean then 'complete' else 'paged' end,
    row_count = (select sum((t.value ->> 'rows')::bigint) from jsonb_array_elements(v_document -> 'tables') as t)
  where e.id = v_request.id;
  return v_document || jsonb_build_object('export_id', v_request.id);
end
$$;

comment on function private.request_export() is 'The caller''s personal data as one document, a few times a day.';
grant execute on function private.request_export() to authenticated;
