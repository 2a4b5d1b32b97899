-- $1 migration, $2 epoch whose own workers do not count. A claim is a row lock: the row's xmax is the
-- transaction that has it.
with claims (what, xid) as (
    select 'chunk ' || c.chunk || ' of table ' || t.source_schema || '.' || t.source_name, c.xmax
      from drover.chunk c
      join drover.tables t on t.migration = c.migration and t.id = c.table_id
     where c.migration = $1 and c.state = 'todo' and c.xmax <> 0
    union all
    select case when t.state = 'planned' then 'the plan of table ' else 'the key of table ' end
               || t.source_schema || '.' || t.source_name, t.xmax
      from drover.tables t
     where t.migration = $1 and t.state in ('planned', 'copying', 'copied') and t.xmax <> 0
    union all
    select d.kind || ' ' || d.name, d.xmax
      from drover.ddl d
     where d.migration = $1 and not d.done and d.xmax <> 0
), sessions as (
    select backend_xid, pid, xact_start, split_part(application_name, ' ', 3) as worker
      from pg_stat_activity
     where backend_xid is not null
)
select claims.what || ' by ' || coalesce(e.holder || ' (' || s.worker || ', session ' || s.pid || ')',
                                         'session ' || s.pid)
           || ', for ' || cast(extract(epoch from now() - s.xact_start) as bigint) || ' s'
  from claims
  join sessions s on s.backend_xid = claims.xid
  left join drover.lease e
    on e.migration = $1 and starts_with(s.worker, e.role || '-') and e.role <> 'copy'
 where not starts_with(s.worker, 'copy-' || $2 || '-')
 order by s.xact_start
