-- Columns of foreign keys with an action, by child and foreign key, in their order.
select k.constraint_schema, k.table_name, k.constraint_name, k.column_name,
       k.referenced_table_schema, k.referenced_table_name, k.referenced_column_name, r.update_rule
from information_schema.key_column_usage k
join information_schema.referential_constraints r
  on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name
  and r.table_name = k.table_name
where k.referenced_table_name is not null
  and (r.delete_rule not in ('RESTRICT', 'NO ACTION') or r.update_rule not in ('RESTRICT', 'NO ACTION'))
order by k.constraint_schema, k.table_name, k.constraint_name, k.ordinal_position
