select string_agg(what, ', ' order by started nulls first)
from (select 'pid ' || pid || ' (' || coalesce(usename, '') || ', open for '
                 || date_trunc('second', clock_timestamp() - xact_start) || ')' as what,
             xact_start as started
      from pg_catalog.pg_stat_activity
      where backend_xid is not null and pid <> pg_catalog.pg_backend_pid()
      union all
      select 'prepared transaction ' || quote_literal(gid), prepared
      from pg_catalog.pg_prepared_xacts) as open_transactions
