create or replace function private.numbers_of(p_document jsonb)
returns jsonb
language sql
immutable
parallel safe
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(e.key, e.value), '{}')
  from jsonb_each(case when jsonb_typeof(p_document) = 'object' then p_document end) as e
  where jsonb_typeof(e.value) in ('number', 'boolean');
$$;

comment on function private.numbers_of(jsonb) is 'What may stay of a document when its person is erased: numbers and truth values of its first level, never text.';
