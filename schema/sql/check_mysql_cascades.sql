-- Foreign keys that change or delete rows of the child by themselves.
select r.constraint_schema, r.table_name, r.constraint_name, r.delete_rule, r.update_rule,
       min(k.referenced_table_schema), min(k.referenced_table_name),
       group_concat(concat('`', replace(k.column_name, '`', '``'), '`')
                    order by k.ordinal_position separator ', '),
       group_concat(concat('`', replace(k.referenced_column_name, '`', '``'), '`')
                    order by k.ordinal_position separator ', ')
from information_schema.referential_constraints r
join information_schema.key_column_usage k
  on k.constraint_schema = r.constraint_schema and k.constraint_name = r.constraint_name
 and k.table_name = r.table_name
where r.delete_rule in ('CASCADE', 'SET NULL') or r.update_rule in ('CASCADE', 'SET NULL')
group by r.constraint_schema, r.table_name, r.constraint_name, r.delete_rule, r.update_rule
order by r.constraint_schema, r.table_name, r.constraint_name
