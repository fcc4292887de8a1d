-- Live work first, with an eighth of the batch for backfills, so that neither starves. A share rather than an age that lifts
-- priority: an old backfill would otherwise catch up with live rows, all at once. Retries of the same rows come along: the model
-- sees the row as it is now, so that one call answers both.
create or replace function ml.take_fresh(p_attachment_id smallint, p_limit integer, p_shut uuid[] default null)
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_background boolean;
  v_share integer := 0;
  v_jobs ml.owed[];
begin
  if p_limit <= 0 then
    return '{}';
  end if;
  v_background := exists (select from ml.jobs as j where j.attachment_id = p_attachment_id and j.is_background);
  if v_background then
    -- Of a small batch, sometimes one.
    v_share := p_limit / 8 + (random() < p_limit % 8 / 8.0)::integer;
  end if;
  v_jobs := ml.take_pending(p_attachment_id, false, p_limit - v_share, p_shut);
  if v_background and cardinality(v_jobs) < p_limit then
    v_jobs := v_jobs || ml.take_pending(p_attachment_id, true, p_limit - cardinality(v_jobs), p_shut);
    -- What the backfill did not need.
    if cardinality(v_jobs) < p_limit and cardinality(v_jobs) >= p_limit - v_share then
      v_jobs := v_jobs || ml.take_pending(p_attachment_id, false, p_limit - cardinality(v_jobs), p_shut);
    end if;
  end if;
  if v_jobs <> '{}' and exists (select from ml.retries as r where r.attachment_id = p_attachment_id) then
    v_jobs := ml.absorb_retries(p_attachment_id, v_jobs);
  end if;
  return v_jobs;
end
$$;

comment on function ml.take_fresh(smallint, integer, uuid[]) is 'Takes at most p_limit pending jobs of an attachment: live ones, and the share of its backfill.';
