-- Parts of the indexes of MySQL's tables, in the order of the index.
select s.table_schema, s.table_name, s.index_name, s.non_unique, s.index_type, s.index_comment, s.column_name,
       s.expression, s.sub_part, s.collation, s.is_visible
from information_schema.statistics s
where s.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by s.table_schema, s.table_name, s.index_name, s.seq_in_index
