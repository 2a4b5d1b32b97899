-- Geometries of MySQL whose reference system is fixed; MariaDB has no such column here.
select c.table_schema, c.table_name, c.column_name, c.srs_id
from information_schema.columns c
where c.srs_id is not null
  and c.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
