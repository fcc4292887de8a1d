-- Called by what erases an account, in the transaction that does and after it, so that the entries of the erasure are among them.
-- The log is read from end to end. What the log notes of itself names nobody and is never blanked. Nor is an entry because its request's
-- id names the person: callers choose that, and would blank their own deeds by erasing an account whose id they sent with each.
create or replace function private.redact_audit(p_user_id uuid, p_traces text[] default '{}')
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_traces text[];
  v_found bigint;
begin
  if exists (select from unnest(p_traces) as t where length(t) < 5) then
    raise exception 'a trace of less than five characters would be found everywhere' using
      detail = 'AUDIT_TRACE_TOO_SHORT', hint = 'Give e-mail addresses and the like.';
  end if;
  -- Each as it stands in text and as JSON writes it.
  select array_agg(distinct x.trace) into v_traces
  from (
    select lower(t.trace) as trace
    from (
      select unnest(p_traces || array[p_user_id::text, replace(p_user_id::text, '-', '')])
      union all
      select u.email from auth.users as u where u.id = p_user_id and u.email <> ''
    ) as t (trace)
  ) as t
  cross join lateral (values (t.trace), (btrim(to_jsonb(t.trace)::text, '"'))) as x (trace);

  with redacted as (
    update private.audit_log as a set
      salt = null, actor_id = null, subject_id = null, row_key = null, old_values = null, new_values = null, request_id = null
    where a.salt is not null and a.action not like 'audit.%' and (
      p_user_id in (a.actor_id, a.subject_id) or exists (
        select from unnest(v_traces) as t (trace)
        where strpos(lower(concat_ws(' ', a.row_key, a.old_values, a.new_values)), t.trace) > 0
      )
    )
    returning a.id, a.created_at
  ), noted as (
    select count(*) as entries, private.append_audit(
      'audit.redacted', p_new_values => jsonb_build_object('entries', jsonb_agg(r.id order by r.id)), p_nameless => true
    )
    from redacted as r
    group by private.audit_month(r.created_at)
  )
  select coalesce(sum(n.entries), 0) into v_found from noted as n;
  return v_found;
end
$$;

comment on function private.redact_audit(uuid, text[]) is
  E'Blank every audit entry by, about or mentioning a person; how many\n\np_traces: texts besides the id and the account''s present e-mail, such as the e-mail when the account is gone already. Each redaction is itself an entry, which names entries and nobody.';
