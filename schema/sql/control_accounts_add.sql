-- $1 migration, $2 table ids, $3 to $8 the counts in the order of the columns
update drover.tables t
   set captured = t.captured + a.captured, applied = t.applied + a.applied,
       filtered = t.filtered + a.filtered, superseded = t.superseded + a.superseded,
       rejected = t.rejected + a.rejected, refetched = t.refetched + a.refetched
  from unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
              $8::bigint[])
       as a (id, captured, applied, filtered, superseded, rejected, refetched)
 where t.migration = $1 and t.id = a.id
