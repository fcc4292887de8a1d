create or replace function ml.accept_webhook(p_webhook_id text, p_change jsonb)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_found boolean := false;
begin
  if p_webhook_id is not null then
    insert into ml.webhook_deliveries (id) values (p_webhook_id) on conflict (id) do nothing;
    if not found then
      raise sqlstate 'PT409' using
        message = 'This webhook was received before.', detail = 'WEBHOOK_REPLAYED', hint = 'Nothing is left to do.';
    end if;
  end if;
  if p_change is not null then
    for a in
      select x.* from ml.attachments as x
      where x.source_table = to_regclass(
        format('%I.%I', coalesce(p_change ->> 'schema', ''), coalesce(p_change ->> 'table', ''))
      )
    loop
      v_found := true;
      perform ml.enqueue(a.id, array[p_change -> 'record' ->> a.key_column]);
    end loop;
    if not v_found then
      raise sqlstate 'PT404' using
        message = 'No prediction is attached to this table.', detail = 'TABLE_NOT_ATTACHED',
        hint = 'Attach one with ml.attach in a migration, or send the webhook of another table.';
    end if;
  end if;
end
$$;

comment on function ml.accept_webhook(text, jsonb) is
  'Takes note of a webhook''s id and refuses a replay; owes what a changed row ({schema, table, record}) needs.';
