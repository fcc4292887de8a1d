create or replace function ml.nobody()
returns uuid
language sql
immutable
security invoker
set search_path = ''
return '00000000-0000-0000-0000-000000000000'::uuid;

comment on function ml.nobody() is 'Stands for "no owner" in the queue, so that its index needs no NULLs.';
