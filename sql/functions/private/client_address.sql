-- Cloudflare overwrites cf-connecting-ip, whatever a client sent. Every proxy appends the address it was called from to
-- x-forwarded-for, so that its last entry alone is no client's own words. Whoever has one IPv6 address has its /64.
create or replace function private.client_address(p_headers jsonb)
returns text
language plpgsql
immutable
security invoker
set search_path = ''
as $$
declare
  v_text constant text := btrim(coalesce(
    p_headers ->> 'cf-connecting-ip', reverse(split_part(reverse(p_headers ->> 'x-forwarded-for'), ',', 1))
  ));
begin
  if not coalesce(pg_input_is_valid(v_text, 'inet'), false) then
    return 'unknown';
  end if;
  return case when family(v_text::inet) = 6 then network(set_masklen(v_text::inet, 64))::text else host(v_text::inet) end;
end
$$;

comment on function private.client_address(jsonb) is 'Where a request came from, as far as a client cannot choose it.';
