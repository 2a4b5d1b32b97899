-- $1 migration, $2 JSON: a list a table of its id and the counts in the order of the columns
update drover.tables t
  join json_table($2, '$[*]' columns (
           id integer path '$[0]', captured bigint path '$[1]', applied bigint path '$[2]',
           filtered bigint path '$[3]', superseded bigint path '$[4]', rejected bigint path '$[5]',
           refetched bigint path '$[6]')) as a on t.id = a.id
   set t.captured = t.captured + a.captured, t.applied = t.applied + a.applied,
       t.filtered = t.filtered + a.filtered, t.superseded = t.superseded + a.superseded,
       t.rejected = t.rejected + a.rejected, t.refetched = t.refetched + a.refetched
 where t.migration = $1
