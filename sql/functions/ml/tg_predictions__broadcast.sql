-- Definer: whoever causes a receipt needs no right on Realtime. realtime.send turns its own faults into warnings.
-- A receipt of yesterday, as one restored from an export, is no news.
create or replace function ml.tg_predictions__broadcast()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object(
      'id', n.id, 'prediction', n.prediction, 'source_table', n.source_table, 'row_key', n.row_key,
      'status', n.status, 'output', n.output, 'interval_low', n.interval_low, 'interval_high', n.interval_high,
      'model', n.model, 'model_version', n.model_version, 'created_at', n.created_at
    ),
    'prediction', 'user:' || n.owner_id::text, true
  )
  from new_rows as n
  where n.owner_id is not null and n.status in ('done', 'failed') and n.created_at > now() - interval '1 day';
  return null;
end
$$;

comment on function ml.tg_predictions__broadcast() is 'Tells each owner''s private channel about their new receipts.';
