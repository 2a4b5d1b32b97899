-- Foreign keys over texts that may be equal without being the same.
select distinct k.table_schema, k.table_name, k.constraint_name, c.collation_name
from information_schema.key_column_usage k
join information_schema.columns c
  on c.table_schema = k.table_schema and c.table_name = k.table_name and c.column_name = k.column_name
where k.referenced_table_name is not null and c.collation_name not like '%\_nopad\_bin'
  and c.collation_name not in ('binary', 'utf8mb4_0900_bin')
order by k.table_schema, k.table_name, k.constraint_name
