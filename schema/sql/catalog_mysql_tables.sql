-- Tables of MySQL and MariaDB outside of system schemas and drover's own.
select t.table_schema, t.table_name, t.table_type, t.engine, t.table_rows, t.data_length
from information_schema.tables t
where t.table_type in ('BASE TABLE', 'SYSTEM VERSIONED')
  and t.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
