-- $1 migration, $2 table, $3 number before the first, $4 JSON: a list a chunk of its bounds, array literals
insert into drover.chunk (migration, table_id, chunk, lower_key, upper_key, place)
select $1, t.id, cast($3 as signed) + bounds.n, bounds.lower_key, bounds.upper_key, -t.bytes_total
  from drover.tables t
  join json_table($4, '$[*]' columns (
           n for ordinality, lower_key longtext path '$[0]', upper_key longtext path '$[1]')) as bounds
 where t.migration = $1 and t.id = $2
