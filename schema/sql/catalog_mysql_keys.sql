-- Columns of the unique indexes. usable: rows can be identified by it, as far as this column is concerned
-- (a whole column that is never null; the rest of an index on expressions has no column name).
select s.table_schema, s.table_name, s.index_name, s.column_name,
       s.column_name is not null and s.sub_part is null and s.nullable <> 'YES' as usable
from information_schema.statistics s
where s.non_unique = 0
  and s.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by s.table_schema, s.table_name, s.index_name, s.seq_in_index
