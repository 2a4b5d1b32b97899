-- $1 migration, $2 uuid, $3 file. Where another process has added it already, that one counts.
insert into drover.migration (name, uuid, file, phase) values ($1, $2, $3, 'planned')
on duplicate key update name = name
