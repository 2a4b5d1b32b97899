-- $1 migration
select t.id, t.source_schema, t.source_name, t.target_schema, t.target_name, t.state,
       coalesce(c.copied, 0), t.rows_total, coalesce(c.done, 0), coalesce(c.chunks, 0),
       t.captured, t.applied, t.filtered, t.superseded, t.rejected, t.refetched, t.in_doubt,
       v.state, coalesce(v.missing + v.extra + v.different, 0), coalesce(v.backlog, 0)
  from drover.tables t
  left join (select l.table_id, sum(l.rows) as copied, count(case when l.state = 'done' then 1 end) as done,
                    count(*) as chunks
               from drover.chunk l where l.migration = $1 group by l.table_id) c on c.table_id = t.id
  left join drover.verify v on v.migration = t.migration and v.table_id = t.id
 where t.migration = $1
 order by t.id
