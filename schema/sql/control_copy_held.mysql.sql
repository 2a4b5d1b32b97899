-- $1 migration, $2 epoch whose own workers do not count. A claim that is not committed is seen by a dirty read; of
-- a session that has ended, what it committed (a step that it ran) is no claim any more.
set transaction isolation level read uncommitted;
select concat(claims.what, ' by ',
              coalesce(concat(e.holder, ' (', w.worker, ', session ', claims.session, ')'),
                       concat('session ', claims.session)),
              ', for ', coalesce(timestampdiff(second, w.updated_at, now(6)), 0), ' s')
  from (select concat('chunk ', c.chunk, ' of table ', t.source_schema, '.', t.source_name) as what, c.session
          from drover.chunk c
          join drover.tables t on t.migration = c.migration and t.id = c.table_id
         where c.migration = $1 and c.state = 'todo' and c.session is not null
        union all
        select concat(case when t.state = 'planned' then 'the plan of table ' else 'the key of table ' end,
                      t.source_schema, '.', t.source_name), t.session
          from drover.tables t
         where t.migration = $1 and t.state in ('planned', 'copying', 'copied') and t.session is not null
        union all
        select concat(d.kind, ' ', d.name), d.session
          from drover.ddl d
         where d.migration = $1 and not d.done and d.session is not null) claims
  join information_schema.processlist p on p.id = claims.session
  left join drover.progress w on w.migration = $1 and w.session = claims.session
  left join drover.lease e on e.migration = $1 and e.role <> 'copy' and w.worker like concat(e.role, '-%')
 where coalesce(w.worker, '') not like concat('copy-', $2, '-%')
 order by w.updated_at
