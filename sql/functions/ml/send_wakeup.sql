-- For services that cannot LISTEN: behind a pooler, or scaled to zero. Standard Webhooks over pg_net, thin: names only.
-- Sent by pg_cron, never by a trigger, and only when something due was left lying. All secrets come from Vault;
-- without them nothing is sent. `rowcast_webhook_secret` may hold several secrets, space-separated, while keys rotate.
create or replace function ml.send_wakeup()
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_url text;
  v_secrets text;
  v_id text := 'wake_' || replace(gen_random_uuid()::text, '-', '');
  v_time text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  v_body jsonb;
  v_signature text;
begin
  -- Names of predictions, and of nobody's rows.
  select jsonb_build_object('type', 'jobs.due', 'predictions', jsonb_agg(a.name order by a.name)) into v_body
  from ml.attachments as a
  join ml.models as m on m.name = a.model
  where a.paused_at is null and (m.breaker_until is null or m.breaker_until <= clock_timestamp())
    and (
      exists (
        select from ml.jobs as j where j.attachment_id = a.id and j.enqueued_at < clock_timestamp() - interval '3 seconds'
      )
      or exists (
        select from ml.retries as r where r.attachment_id = a.id and r.run_at < clock_timestamp() - interval '3 seconds'
      )
    )
  having count(*) > 0;
  if v_body is null then
    return null;
  end if;

  select s.decrypted_secret into v_url from vault.decrypted_secrets as s where s.name = 'rowcast_service_url';
  select s.decrypted_secret into v_secrets from vault.decrypted_secrets as s where s.name = 'rowcast_webhook_secret';
  if v_url is null or v_secrets is null then
    return null;
  end if;

  select string_agg('v1,' || encode(
    extensions.hmac(
      convert_to(v_id || '.' || v_time || '.' || v_body::text, 'UTF8'),
      decode(regexp_replace(s, '^whsec_', ''), 'base64'), 'sha256'
    ), 'base64'), ' ')
  into v_signature
  from regexp_split_to_table(v_secrets, '\s+') as s
  where s <> '';

  return net.http_post(
    url := v_url || '/webhooks/jobs',
    body := v_body,
    headers := jsonb_build_object(
      'content-type', 'application/json', 'webhook-id', v_id, 'webhook-timestamp', v_time,
      'webhook-signature', v_signature
    )
  );
end
$$;

comment on function ml.send_wakeup() is 'Posts a signed wake-up with the names of predictions that have jobs due to the service. Returns pg_net''s request id, or NULL when nothing was sent.';
