-- Of what is in the catalogue, so that a function replaced by hand, a dropped trigger and a disabled one all show.
create or replace function ml.generated_hash(a ml.attachments)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select encode(sha256(convert_to(coalesce(string_agg(x.definition, E'\n' order by x.definition), ''), 'UTF8')), 'hex')
  from (
    select p.prosrc || array_to_string(p.proconfig, ',') || p.prosecdef::text as definition
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and p.proname = any (array[
        a.name || '__read', 'tg_' || a.name || '__insert', 'tg_' || a.name || '__update', 'tg_' || a.name || '__delete'
      ])
    union all
    select pg_get_triggerdef(t.oid) || t.tgenabled::text
    from pg_trigger as t
    where t.tgrelid = a.source_table and starts_with(t.tgname, '_800_predict_' || a.name || '_')
  ) as x
$$;

comment on function ml.generated_hash(ml.attachments) is 'Hash of an attachment''s functions and triggers as they are in the database.';
