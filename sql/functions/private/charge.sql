-- Definer: reads limits and writes buckets. Called by private.before_request() only.
-- PostgREST runs reads in READ ONLY transactions, which can write no table: their buckets are kept in settings of the database session.
create or replace function private.charge(p_caller_kind text, p_caller text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path constant text := private.plain_path(coalesce(current_setting('request.path', true), ''));
  v_reads constant boolean := current_setting('transaction_read_only')::boolean;
  v_limit private.rate_limits;
  v_wait double precision;
begin
  for v_limit in
    -- Of several limits on the same path, the most generous: who holds two roles loses nothing by the second.
    select distinct on (l.path) l.* from private.rate_limits as l
    where l.for_reads = v_reads
      and (l.path is null or l.path = v_path or (right(l.path, 1) = '*' and starts_with(v_path, left(l.path, -1))))
      and case
        when l.caller = p_caller_kind then true
        when p_caller_kind = 'authenticated' and l.caller not in ('anon', 'service_role', 'api_key')
          then exists (
            select from public.user_roles as ur
            where ur.user_id = auth.uid() and ur.role = l.caller and (ur.expires_at is null or ur.expires_at > now())
          )
        else false
      end
    order by l.path, l.refill_per_second desc, l.capacity desc
  loop
    if v_reads then
      v_wait := private.take_read_token(v_limit.name, p_caller, v_limit.capacity, v_limit.refill_per_second);
    else
      v_wait := private.take_token(v_limit.name, p_caller, v_limit.capacity, v_limit.refill_per_second);
    end if;
    if v_wait > 0 then
      raise sqlstate 'PGRST' using
        message = json_build_object(
          'code', 'PT429', 'details', 'RATE_LIMITED', 'message', 'Too many requests.', 'hint', 'Wait as long as Retry-After says.'
        )::text,
        detail = json_build_object(
          'status', 429, 'headers', json_build_object('Retry-After', greatest(1, ceil(v_wait))::integer::text)
        )::text;
    end if;
  end loop;
end
$$;

comment on function private.charge(text, text) is 'Takes a token for this request from every limit that applies; refuses with 429 when there is none.';
