-- Parts of the indexes of MariaDB's tables, in the order of the index: the columns are those of
-- description_mysql_indexes.sql.
select s.table_schema, s.table_name, s.index_name, s.non_unique, s.index_type, s.index_comment, s.column_name,
       null, s.sub_part, s.collation, if(s.ignored = 'YES', 'NO', 'YES')
from information_schema.statistics s
where s.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by s.table_schema, s.table_name, s.index_name, s.seq_in_index
