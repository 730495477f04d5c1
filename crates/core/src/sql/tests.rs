use super::*;
use crate::limits::{SQL_DEPTH, SQL_NESTING};

fn catalog() -> Catalog {
    let relation = |name: &str, columns: &[(&str, &str)]| Relation {
        schema: Some("core".into()),
        name: name.into(),
        columns: Some(columns.iter().map(|(name, kind)| Column::new(*name, Kind::named(kind))).collect()),
    };
    Catalog {
        relations: vec![
            relation(
                "orders",
                &[
                    ("id", "bigint"),
                    ("customer_id", "bigint"),
                    ("total", "decimal(14,2)"),
                    ("status", "varchar(32)"),
                    ("created_at", "timestamp"),
                    ("is_test", "boolean"),
                    ("tags", "super"),
                ],
            ),
            relation("customers", &[("id", "bigint"), ("name", "varchar(255)"), ("since", "date")]),
        ],
        open: vec!["pg_catalog".into()],
    }
}

fn errors(sql: &str, dialect: Dialect) -> String {
    let checked = check(&Source::new("m.sql", sql), dialect, &catalog());
    checked.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn columns(sql: &str) -> String {
    let checked = check(&Source::new("m.sql", sql), Dialect::Redshift, &catalog());
    assert!(checked.errors.is_empty(), "{sql}\n{}", checked.errors[0]);
    let columns = checked.columns.unwrap_or_default();
    columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect::<Vec<_>>().join(", ")
}

#[test]
fn valid_queries_have_result_types() {
    for (sql, expected) in [
        (
            "select o.id, total * 2 as twice, count(*) over () n from core.orders o",
            "id bigint, twice decimal(15,2), n bigint",
        ),
        (
            "with x as (select customer_id, sum(total) s, max(created_at) at from core.orders group by 1) \
             select c.*, x.s, coalesce(x.s, 0) as money, datediff(day, c.since, x.at) as days from core.customers c left join x on x.customer_id = c.id order by money desc",
            "id bigint, name varchar(255), since date, s decimal(38,2), money decimal(38,2), days bigint",
        ),
        (
            "select date_trunc('month', o.created_at) as m, count(distinct o.id) from core.orders o group by date_trunc('month', created_at) having count(*) > 1",
            "m timestamp, count bigint",
        ),
        (
            "select id, total as t, t + 1 as u from core.orders where exists (select 1 from core.customers c where c.id = orders.customer_id)",
            "id bigint, t decimal(14,2), u decimal(15,2)",
        ),
        ("select id from core.customers join core.orders using (id)", "id bigint"),
        (
            "select case when is_test then 'x' else status end as s, sysdate as now, id::varchar(20) as i from core.orders",
            "s varchar(32), now timestamp, i varchar(20)",
        ),
        (
            "select name, 1 as n from core.customers union all select status, 2.5 from core.orders",
            "name varchar(255), n decimal(3,1)",
        ),
        ("select o.tags[0].label as l, t as tag from core.orders o, o.tags t", "l unknown, tag unknown"),
        ("select approximate count(distinct id) as n from core.orders", "n bigint"),
        ("select listagg(name, ', ') within group (order by name) as names from core.customers", "names varchar"),
        (
            "select top 3 id from core.orders qualify row_number() over (partition by customer_id order by created_at desc) = 1",
            "id bigint",
        ),
        (
            "select status, sum(total) / nullif(count(*), 0) as a, rank() over (order by sum(total) desc) as r from core.orders group by status",
            "status varchar(32), a decimal(38,4), r bigint",
        ),
        (
            "select since + 1 as d, getdate() - created_at as i, f_mine(c.id) as f, public.my_function(c.id) as g from core.orders join core.customers c on c.id = customer_id",
            "d date, i interval, f unknown, g unknown",
        ),
        ("select relname from pg_catalog.pg_class", "relname unknown"),
    ] {
        assert_eq!(columns(sql), expected, "{sql}");
    }
}

#[test]
fn invalid_queries_have_error_locations() {
    insta::assert_snapshot!(errors("select o.totl, ordres.id, nam\nfrom core.orders o\njoin core.custmers c on c.id = o.id\nwhere creatd_at > 1", Dialect::Redshift), @r"
    error: `o` has no column `totl`
     --> m.sql:1:10
      |
    1 | select o.totl, ordres.id, nam
      |          ^^^^ no such column
      = hint: did you mean `total`?

    error: `ordres` is no table of this query's FROM
     --> m.sql:1:16
      |
    1 | select o.totl, ordres.id, nam
      |                ^^^^^^ not there
      = hint: it reads: o, c

    error: unknown table `core.custmers`
     --> m.sql:3:11
      |
    3 | join core.custmers c on c.id = o.id
      |           ^^^^^^^^ no such table or mart
      = hint: did you mean `customers`?
    ");
    insta::assert_snapshot!(errors("select id, name as id from core.customers join core.orders on customers.id = customer_id", Dialect::Redshift), @r"
    error: `id` is a column of both `customers` and `orders`
     --> m.sql:1:8
      |
    1 | select id, name as id from core.customers join core.orders on customers.id = customer_id
      |        ^^ ambiguous
      = hint: say which one: `customers.id` or `orders.id`

    error: the column `id` is there twice
     --> m.sql:1:12
      |
    1 | select id, name as id from core.customers join core.orders on customers.id = customer_id
      |            ^^^^^^^^^^
      = hint: give one of them another name: `… AS id_2`
    ");
    insta::assert_snapshot!(errors("select status, sum(total), customer_id from core.orders group by status order by created_at", Dialect::Redshift), @r"
    error: `customer_id` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:28
      |
    1 | select status, sum(total), customer_id from core.orders group by status order by created_at
      |                            ^^^^^^^^^^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: `created_at` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:82
      |
    1 | select status, sum(total), customer_id from core.orders group by status order by created_at
      |                                                                                  ^^^^^^^^^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it
    ");
}

#[test]
fn type_mismatches_have_locations() {
    insta::assert_snapshot!(errors("select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x\nfrom core.orders where created_at = 5 and total", Dialect::Redshift), @r"
    error: SUM takes a number, and this is varchar(32)
     --> m.sql:1:12
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |            ^^^^^^ varchar(32)
      = hint: cast it to a number

    error: unknown function `coalesc`
     --> m.sql:1:21
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                     ^^^^^^^ no such function
      = hint: did you mean `COALESCE`?

    error: `id` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:29
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                             ^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: NULLIF takes 2 arguments, not 1
     --> m.sql:1:37
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                     ^^^^^^

    error: `id` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:44
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                            ^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: DATEADD takes a date or a timestamp, and this is decimal(14,2)
     --> m.sql:1:65
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                                                 ^^^^^ decimal(14,2)
      = hint: cast it, for example with `::TIMESTAMP`

    error: `total` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:65
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                                                 ^^^^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: `+` is not defined for decimal(14,2) and varchar(32)
     --> m.sql:1:73
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                                                         ^^^^^^^^^^^^^^
      = hint: cast it to a number

    error: `total` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:73
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                                                         ^^^^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: `status` stands beside aggregates and is not in GROUP BY
     --> m.sql:1:81
      |
    1 | select sum(status), coalesc(id, 1), nullif(id), dateadd(day, 1, total), total + status as x
      |                                                                                 ^^^^^^ which of the group's rows?
      = hint: add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it

    error: timestamp is compared with integer
     --> m.sql:2:37
      |
    2 | from core.orders where created_at = 5 and total
      |                                     ^ integer
      = hint: cast one of them to the type of the other

    error: AND takes a condition, and this is of the type decimal(14,2)
     --> m.sql:2:43
      |
    2 | from core.orders where created_at = 5 and total
      |                                           ^^^^^ not true or false
      = hint: compare it with something
    ");
    insta::assert_snapshot!(errors("select id from core.orders union select id, name from core.customers", Dialect::Redshift), @r"
    error: UNION of 1 and 2 columns
     --> m.sql:1:34
      |
    1 | select id from core.orders union select id, name from core.customers
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ another number of columns
      = hint: both sides must have the same columns
    ");
    insta::assert_snapshot!(errors("select id,, name from core.customers", Dialect::Redshift), @r"
    error: `m.sql` cannot be read as SQL: Expected: an expression, found: ,
     --> m.sql:1:11
      |
    1 | select id,, name from core.customers
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: correct it here; if Redshift does take it, put the line `-- pipectl: unchecked` into the file
    ");
    assert_eq!(errors("-- pipectl: unchecked\nselect id,, name from core.customers", Dialect::Redshift), "");
}

#[test]
fn spark_keywords_are_known() {
    let catalog = Catalog {
        relations: vec![Relation {
            schema: None,
            name: "visits".into(),
            columns: Some(vec![
                Column::new("id", Kind::Bigint),
                Column::new("at", Kind::Timestamp),
                Column::new("tags", Kind::Unknown),
            ]),
        }],
        open: Vec::new(),
    };
    let said = |sql: &str| {
        let checked = check(&Source::new("t.sql", sql), Dialect::Spark, &catalog);
        (
            checked.errors.iter().map(|error| error.message().to_owned()).collect::<Vec<_>>().join("; "),
            checked.columns.map(|columns| columns.len()),
        )
    };
    for sql in [
        "select id, date_add(at, 1) as next, collect_list(id) over (partition by id) as ids from visits",
        "select v.id, tag from visits v lateral view explode(tags) t as tag",
        "select id, transform(tags, x -> upper(x)) as up, `id` as other from visits",
        "select id, at from visits where at >= '2026-01-01' group by all",
        "select id, datediff(current_date(), at) as days, if(id > 1, 'a', 'b') as c from visits distribute by id",
    ] {
        assert_eq!(said(sql).0, "", "{sql}");
    }
    assert_eq!(said("select idd from visits").0, "unknown column `idd`");
    assert_eq!(said("select id from visitz").0, "unknown table `visitz`");
    assert_eq!(said("select id, at from visits").1, Some(2));
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(sql in r"(select|with|from|where|group by|,|\(|\)|a|core|\.|orders|id|'x'|\*|=|[0-9é] | ){0,20}") {
        check(&Source::new("m.sql", sql), Dialect::Redshift, &catalog());
    }
}

/// Queries whose tree grows with `n`, each in another way.
fn deep(n: usize) -> Vec<(&'static str, String)> {
    let wrapped = |open: &str, inner: &str, close: &str| format!("select {}{inner}{}", open.repeat(n), close.repeat(n));
    let chain = |item: &str, operator: &str| format!("select {}", vec![item; n + 1].join(operator));
    vec![
        ("plus", chain("1", " + ")),
        ("or", format!("select 1 where {}", vec!["true"; n + 1].join(" or "))),
        ("and", format!("select 1 where {}", vec!["1 = 1"; n + 1].join(" and "))),
        ("concat", chain("'a'", " || ")),
        ("cast", format!("select 1{}", "::int".repeat(n))),
        ("is null", format!("select 1{}", " is null".repeat(n))),
        ("distinct from", format!("select 1{}", " is distinct from 1".repeat(n))),
        ("minus", format!("select {}1", "- ".repeat(n))),
        ("not", format!("select {}true", "not ".repeat(n))),
        ("union", vec!["select 1"; n + 1].join(" union all ")),
        ("except", vec!["select 1"; n + 1].join(" except ")),
        ("parentheses", wrapped("(", "1", ")")),
        ("case", wrapped("case when true then ", "1", " else 2 end")),
        ("case condition", wrapped("case when ", "true", " then true end")),
        ("case operand", wrapped("case ", "1", " when 1 then 1 end")),
        ("function", wrapped("abs(", "1", ")")),
        ("coalesce", wrapped("coalesce(1, ", "1", ")")),
        ("in", wrapped("1 in (", "1", ")")),
        ("subquery", wrapped("(select ", "1", ")")),
        ("exists", wrapped("exists (select ", "1", ")")),
        ("derived", format!("select 1 from {}(select 1) t{}", "(select 1 from ".repeat(n), ") t".repeat(n))),
        ("query", format!("{}select 1{}", "(".repeat(n), ")".repeat(n))),
        ("joins", format!("select 1 from {}core.orders{}", "(".repeat(n), ")".repeat(n))),
        ("with", format!("{}select 1{}", "with a as (".repeat(n), ") select 1".repeat(n))),
        ("array", wrapped("array[", "1", "]")),
        ("subscript", format!("select o.tags{} from core.orders o", "[0]".repeat(n))),
        ("like", format!("select 'a'{}", " like 'a'".repeat(n))),
        ("between", format!("select 1{}", " between 1 and 1".repeat(n))),
        ("at time zone", format!("select sysdate{}", " at time zone 'utc'".repeat(n))),
        ("collate", format!("select 'a'{}", " collate case_insensitive".repeat(n))),
        ("interval", format!("select {}'1 day'", "interval ".repeat(n))),
        ("keywords as names", format!("select 1{}", " + when + from + case".repeat(n))),
        ("lambda", format!("select transform(a, {}1)", "x -> ".repeat(n))),
        ("struct", format!("select cast(a as {}int{})", "array<".repeat(n), ">".repeat(n))),
        ("extract", wrapped("extract(day from ", "1", ")")),
        ("trim", wrapped("trim(both 'a' from ", "1", ")")),
        ("order by", format!("select 1 order by {}1{}", "(".repeat(n), ")".repeat(n))),
        ("group by", format!("select count(*) from core.orders group by {}", vec!["id"; n + 1].join(" + "))),
        ("open", format!("select {}", "(".repeat(n))),
        ("open case", format!("select {}", "case when ".repeat(n))),
    ]
}

/// The check of a query on a thread as small as those of the async runtime.
fn errors_on_a_small_stack(sql: String, dialect: Dialect) -> String {
    let work = move || errors(&sql, dialect);
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap()
}

#[test]
fn no_depth_of_a_query_overflows_the_stack() {
    let location = regex::Regex::new("--> m.sql:[0-9]+:[0-9]+\n").unwrap();
    for n in [SQL_NESTING - 5, SQL_NESTING + 1, SQL_DEPTH - 10, 5_000] {
        for (name, sql) in deep(n) {
            for dialect in [Dialect::Redshift, Dialect::Spark] {
                let errors = errors_on_a_small_stack(sql.clone(), dialect);
                assert!(errors.is_empty() || location.is_match(&errors), "{name} {n}: {errors}");
                let operators = ["plus", "or", "and", "concat", "union", "except", "group by"].contains(&name);
                if operators {
                    let refused = errors.contains("more than 2000 operators");
                    // A comparison counts, and so does the `and` beside it.
                    assert!(refused || n <= SQL_DEPTH, "{name} {n}: {errors}");
                    assert!(!refused || n > SQL_NESTING + 1, "{name} {n}: {errors}");
                }
                if ["parentheses", "case", "function", "subquery", "derived", "not"].contains(&name) {
                    let refused = errors.contains("nested more than 100 levels deep");
                    assert_eq!(refused, n > SQL_NESTING, "{name} {n}: {errors}");
                }
            }
        }
    }
    let (_, plus) = deep(SQL_DEPTH + 1).swap_remove(0);
    let error = errors_on_a_small_stack(plus, Dialect::Redshift);
    assert!(error.contains("--> m.sql:1:8006\n"), "{}", error.lines().take(2).collect::<String>());
}

/// With work that grows as the square of the width, 8,000 columns would take minutes.
#[test]
fn wide_marts_take_time_with_their_width() {
    let wide = |columns: usize| {
        let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
        let relation = Relation {
            schema: Some("core".into()),
            name: "wide".into(),
            columns: Some(names.iter().map(|name| Column::new(name.as_str(), Kind::Bigint)).collect()),
        };
        let catalog = Catalog { relations: vec![relation], open: Vec::new() };
        let list = names.iter().map(|name| format!("max(w.{name}) as {name}")).collect::<Vec<_>>().join(", ");
        let checked =
            check(&Source::new("m.sql", format!("select {list} from core.wide w")), Dialect::Redshift, &catalog);
        assert!(checked.errors.is_empty(), "{}", checked.errors[0]);
        assert_eq!((checked.columns.map(|columns| columns.len()), checked.spans.len()), (Some(columns), columns));
        assert_eq!(checked.spans[columns - 1].text(), format!("max(w.c{0}) as c{0}", columns - 1));
    };
    wide(1_000);
    wide(8_000);
}
