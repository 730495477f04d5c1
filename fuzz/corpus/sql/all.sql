-- a comment; /* in */
with recursive t (a, b) as (select 1, 2 union all select a + 1, b from t where a < 5), u as (select * from core.orders)
select distinct o.id, sum(o.total) over (partition by o.id order by o.total rows between 1 preceding and current row) as s,
  case when o.id in (1, 2) then 'a''b' when not (o.total is null) then o.tags[0].x::varchar(10) else cast(-1 as decimal(12, 2)) end c,
  listagg(o.id, ',') within group (order by o.id), extract(year from sysdate), trim(both ' ' from 'x'), date_trunc('day', getdate()),
  interval '1 day', 1e10, "Quoted", [q], $1, :name, e'\n', 'a\'b', approximate count(distinct o.id)
from core.orders o left join t using (a) cross join lateral (select 1) x (y), o.tags as item
where exists (select 1) and o.id = any (select 2) and o.id between 1 and 2 or o.total like '%a' escape '\'
group by 1, 2, rollup (o.id), grouping sets ((o.id), ()) having count(*) > 1 qualify row_number() over () = 1
order by 1 desc nulls last limit 10 offset 5;
