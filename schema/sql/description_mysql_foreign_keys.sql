-- Column pairs of the foreign keys of MySQL's and MariaDB's tables, in the order of the key.
select r.constraint_schema, r.table_name, r.constraint_name, k.column_name, k.referenced_table_schema,
       k.referenced_table_name, k.referenced_column_name, lower(r.delete_rule), lower(r.update_rule)
from information_schema.referential_constraints r
join information_schema.key_column_usage k
  on k.constraint_schema = r.constraint_schema and k.constraint_name = r.constraint_name
 and k.table_name = r.table_name
where k.referenced_table_name is not null
  and r.constraint_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by r.constraint_schema, r.table_name, r.constraint_name, k.ordinal_position
