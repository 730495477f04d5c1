merge into core.orders using stage s on core.orders.id = s.id when matched then update set total = s.total when not matched then insert values (s.id, s.total)
