//! The functions of Redshift and Spark: what each takes, and what it gives.

use super::{Dialect, Kind};

/// What an argument must be: `n` a number, `t` a date or timestamp, `b` a condition, `p` a date part, `a` anything. The
/// last one stands for all that follow.
pub(super) type Takes = &'static str;

/// What a function gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gives {
    /// Always the same type.
    Always(Kind),
    /// The type of one argument.
    Same(usize),
    /// The type that the arguments from this one on have together.
    Together(usize),
    /// The sum of a column.
    Sum,
    Unknown,
}

use Gives::{Always, Same, Sum, Together, Unknown};

/// No limit to the number of arguments.
pub(super) const MANY: usize = usize::MAX;
const TEXT: Gives = Always(Kind::Text(None));
const NUMBER: Gives = Always(Kind::Integer);
const BIG: Gives = Always(Kind::Bigint);
const FLOAT: Gives = Always(Kind::Double);
const DAY: Gives = Always(Kind::Date);
const MOMENT: Gives = Always(Kind::Timestamp);
const TRUTH: Gives = Always(Kind::Boolean);

/// Functions that both databases have: name, fewest and most arguments, what they are, and the result.
const COMMON: &[(&str, usize, usize, Takes, Gives)] = &[
    ("abs", 1, 1, "n", Same(0)),
    ("acos", 1, 1, "n", FLOAT),
    ("add_months", 2, 2, "tn", MOMENT),
    ("any_value", 1, 1, "a", Same(0)),
    ("ascii", 1, 1, "a", NUMBER),
    ("asin", 1, 1, "n", FLOAT),
    ("atan", 1, 1, "n", FLOAT),
    ("atan2", 2, 2, "n", FLOAT),
    ("avg", 1, 1, "n", Same(0)),
    ("cbrt", 1, 1, "n", FLOAT),
    ("ceil", 1, 1, "n", Same(0)),
    ("ceiling", 1, 1, "n", Same(0)),
    ("char_length", 1, 1, "a", NUMBER),
    ("character_length", 1, 1, "a", NUMBER),
    ("coalesce", 1, MANY, "a", Together(0)),
    ("cos", 1, 1, "n", FLOAT),
    ("cot", 1, 1, "n", FLOAT),
    ("count", 0, MANY, "a", BIG),
    ("cume_dist", 0, 0, "", FLOAT),
    ("degrees", 1, 1, "n", FLOAT),
    ("dense_rank", 0, 0, "", BIG),
    ("exp", 1, 1, "n", FLOAT),
    ("first_value", 1, 2, "a", Same(0)),
    ("floor", 1, 1, "n", Same(0)),
    ("greatest", 1, MANY, "a", Together(0)),
    ("initcap", 1, 1, "a", Same(0)),
    ("isnull", 1, 2, "a", Unknown),
    ("lag", 1, 3, "a", Same(0)),
    ("last_day", 1, 1, "t", DAY),
    ("last_value", 1, 2, "a", Same(0)),
    ("lead", 1, 3, "a", Same(0)),
    ("least", 1, MANY, "a", Together(0)),
    ("left", 2, 2, "an", Same(0)),
    ("length", 1, 1, "a", NUMBER),
    ("listagg", 1, 2, "a", TEXT),
    ("lower", 1, 1, "a", Same(0)),
    ("lpad", 2, 3, "ana", TEXT),
    ("ltrim", 1, 2, "a", Same(0)),
    ("max", 1, 1, "a", Same(0)),
    ("md5", 1, 1, "a", Always(Kind::Text(Some(32)))),
    ("median", 1, 1, "n", Same(0)),
    ("min", 1, 1, "a", Same(0)),
    ("mod", 2, 2, "n", Same(0)),
    ("months_between", 2, 3, "tta", FLOAT),
    ("next_day", 2, 2, "ta", DAY),
    ("nth_value", 2, 2, "an", Same(0)),
    ("ntile", 1, 1, "n", BIG),
    ("nullif", 2, 2, "a", Same(0)),
    ("nvl", 2, MANY, "a", Together(0)),
    ("nvl2", 3, 3, "a", Together(1)),
    ("octet_length", 1, 1, "a", NUMBER),
    ("percent_rank", 0, 0, "", FLOAT),
    ("percentile_cont", 1, 2, "n", FLOAT),
    ("percentile_disc", 1, 2, "n", Unknown),
    ("pi", 0, 0, "", FLOAT),
    ("power", 2, 2, "n", FLOAT),
    ("radians", 1, 1, "n", FLOAT),
    ("rank", 0, 0, "", BIG),
    ("repeat", 2, 2, "an", TEXT),
    ("replace", 2, 3, "a", TEXT),
    ("reverse", 1, 1, "a", Same(0)),
    ("right", 2, 2, "an", Same(0)),
    ("round", 1, 2, "n", Same(0)),
    ("row_number", 0, 0, "", BIG),
    ("rpad", 2, 3, "ana", TEXT),
    ("rtrim", 1, 2, "a", Same(0)),
    ("sha1", 1, 1, "a", Always(Kind::Text(Some(40)))),
    ("sha2", 2, 2, "an", Always(Kind::Text(Some(128)))),
    ("sign", 1, 1, "n", Same(0)),
    ("sin", 1, 1, "n", FLOAT),
    ("soundex", 1, 1, "a", TEXT),
    ("split_part", 3, 3, "aan", TEXT),
    ("sqrt", 1, 1, "n", FLOAT),
    ("stddev", 1, 1, "n", FLOAT),
    ("stddev_pop", 1, 1, "n", FLOAT),
    ("stddev_samp", 1, 1, "n", FLOAT),
    ("substr", 2, 3, "ann", TEXT),
    ("substring", 2, 3, "ann", TEXT),
    ("sum", 1, 1, "n", Sum),
    ("tan", 1, 1, "n", FLOAT),
    ("translate", 3, 3, "a", TEXT),
    ("trim", 1, 2, "a", Same(0)),
    ("upper", 1, 1, "a", Same(0)),
    ("var_pop", 1, 1, "n", FLOAT),
    ("var_samp", 1, 1, "n", FLOAT),
    ("variance", 1, 1, "n", FLOAT),
    ("bit_and", 1, 1, "a", Same(0)),
    ("bit_or", 1, 1, "a", Same(0)),
    ("bool_and", 1, 1, "b", TRUTH),
    ("bool_or", 1, 1, "b", TRUTH),
    ("regexp_count", 2, 4, "a", NUMBER),
    ("regexp_replace", 2, 5, "a", TEXT),
    ("regexp_substr", 2, 5, "a", TEXT),
    ("regexp_instr", 2, 6, "a", NUMBER),
    ("current_date", 0, 0, "", DAY),
    ("current_timestamp", 0, 1, "n", MOMENT),
    ("date_part", 2, 2, "pt", Always(Kind::Integer)),
    ("date_trunc", 2, 2, "pt", MOMENT),
    ("dateadd", 3, 3, "pnt", MOMENT),
    ("datediff", 2, 3, "ptt", BIG),
    ("to_char", 2, 2, "a", TEXT),
    ("to_date", 1, 3, "a", DAY),
    ("to_timestamp", 1, 3, "a", MOMENT),
    ("to_number", 2, 2, "a", Unknown),
    ("concat", 1, MANY, "a", TEXT),
];

const REDSHIFT: &[(&str, usize, usize, Takes, Gives)] = &[
    ("btrim", 1, 2, "a", Same(0)),
    ("can_json_parse", 1, 1, "a", TRUTH),
    ("charindex", 2, 2, "a", NUMBER),
    ("concat", 2, 2, "a", TEXT),
    ("convert_timezone", 2, 3, "a", MOMENT),
    ("date_cmp", 2, 2, "t", NUMBER),
    ("date_part_year", 1, 1, "t", NUMBER),
    ("decode", 3, MANY, "a", Unknown),
    ("dexp", 1, 1, "n", FLOAT),
    ("dlog1", 1, 1, "n", FLOAT),
    ("dlog10", 1, 1, "n", FLOAT),
    ("get_array_length", 1, 1, "a", NUMBER),
    ("getdate", 0, 0, "", MOMENT),
    ("is_array", 1, 1, "a", TRUTH),
    ("is_object", 1, 1, "a", TRUTH),
    ("is_valid_json", 1, 1, "a", TRUTH),
    ("is_valid_json_array", 1, 2, "a", TRUTH),
    ("json_array_length", 1, 2, "a", NUMBER),
    ("json_extract_array_element_text", 2, 3, "a", TEXT),
    ("json_extract_path_text", 2, MANY, "a", TEXT),
    ("json_parse", 1, 1, "a", Always(Kind::Super)),
    ("json_serialize", 1, 1, "a", TEXT),
    ("json_size", 1, 1, "a", NUMBER),
    ("json_typeof", 1, 1, "a", TEXT),
    ("len", 1, 1, "a", NUMBER),
    ("ln", 1, 1, "n", FLOAT),
    ("log", 1, 2, "n", FLOAT),
    ("nullif", 2, 2, "a", Same(0)),
    ("quote_ident", 1, 1, "a", TEXT),
    ("quote_literal", 1, 1, "a", TEXT),
    ("random", 0, 0, "", FLOAT),
    ("ratio_to_report", 1, 1, "n", FLOAT),
    ("split_to_array", 1, 2, "a", Always(Kind::Super)),
    ("strpos", 2, 2, "a", NUMBER),
    ("strtol", 2, 2, "an", BIG),
    ("sysdate", 0, 0, "", MOMENT),
    ("timeofday", 0, 0, "", TEXT),
    ("timezone", 2, 2, "a", MOMENT),
    ("trunc", 1, 2, "a", Unknown),
    ("array", 0, MANY, "a", Always(Kind::Super)),
    ("object", 0, MANY, "a", Always(Kind::Super)),
    ("pg_get_session_id", 0, 0, "", NUMBER),
];

/// Names that are right and of which no more is said here.
const REDSHIFT_NAMES: &str = "array_concat array_flatten subarray array_contains array_position array_positions \
    array_distinct array_except array_intersection array_union get_number_attributes lower_attribute_names upper_attribute_names \
    approximate bpcharcmp chr collate crc32 datetime_pl_interval date_cmp_timestamp date_cmp_timestamptz from_hex func_sha1 \
    fnv_hash h3_fromlonglat hll hll_create_sketch hll_cardinality hll_combine hll_combine_sketches interval_cmp is_bigint \
    is_boolean is_char is_decimal is_float is_integer is_scalar is_smallint is_varchar json_type_of json_size mysql_compat \
    now localtime localtimestamp sha secondary st_astext st_distance st_makepoint st_geomfromtext st_contains st_within st_x st_y \
    text_to_int_alt text_to_numeric_alt time_part timestamp_cmp timestamp_cmp_date timestamptz_cmp to_hex to_varbyte from_varbyte \
    try_cast user version current_user current_database current_schema session_user has_schema_privilege has_table_privilege \
    bit_length bttext_pattern_cmp checksum cosh sinh tanh div factorial explode_udf grouping grouping_id cube rollup sets \
    generate_series pg_backend_pid last_user_query_id listaggdistinct position overlay oct instr stddev_samp strtok xpath object_transform \
    dateadd_year date_add date_diff datetrunc nullifzero zeroifnull iff unnest extract row any all some exists exp";

const SPARK_NAMES: &str = "aggregate array array_agg array_append array_compact array_contains array_distinct array_except \
    array_insert array_intersect array_join array_max array_min array_position array_prepend array_remove array_repeat array_size \
    array_sort array_union arrays_overlap arrays_zip approx_count_distinct approx_percentile base64 bigint bin binary bit_count \
    bit_get bit_length bit_xor boolean bround btrim cardinality char chr collect_list collect_set concat_ws contains conv \
    convert_timezone corr cosh count_if count_min_sketch covar_pop covar_samp crc32 cube curdate current_catalog current_database \
    current_timezone current_user date date_add date_diff date_format date_from_unix_date date_sub day dayofmonth dayofweek \
    dayofyear decimal decode double element_at elt encode endswith every exists explode explode_outer expm1 extract factorial \
    filter find_in_set first flatten float forall format_number format_string from_csv from_json from_unixtime from_utc_timestamp \
    get get_json_object getbit grouping grouping_id hash hex histogram_numeric hour hypot if ifnull ilike inline inline_outer \
    input_file_name instr int isnan isnotnull java_method json_array_length json_object_keys json_tuple kurtosis last lcase levenshtein \
    like ln locate log log10 log1p log2 luhn_check make_date make_dt_interval make_interval make_timestamp map map_concat \
    map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with mask max_by mean min_by \
    minute mode monotonically_increasing_id month named_struct nanvl negative now nullifzero nvl overlay parse_url percentile \
    percentile_approx pmod posexplode posexplode_outer position positive pow printf quarter raise_error rand randn random reduce \
    reflect regexp regexp_extract regexp_extract_all regexp_like regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope \
    regr_sxx regr_sxy regr_syy rint rlike rollup schema_of_csv schema_of_json sec second sentences sequence session_window sha \
    shiftleft shiftright shiftrightunsigned shuffle sinh size skewness slice smallint some sort_array space spark_partition_id \
    split sql_keywords stack startswith std str_to_map string string_agg struct substring_index tanh timestamp timestamp_micros \
    timestamp_millis timestamp_seconds tinyint to_binary to_csv to_json to_unix_timestamp to_utc_timestamp to_varchar transform \
    transform_keys transform_values trunc try_add try_aes_decrypt try_avg try_divide try_element_at try_multiply try_subtract try_sum \
    try_to_binary try_to_number try_to_timestamp typeof ucase unbase64 unhex unix_date unix_micros unix_millis unix_seconds \
    unix_timestamp url_decode url_encode user uuid version weekday weekofyear when width_bucket window window_time xpath xxhash64 year \
    zip_with timestampadd timestampdiff try_cast any charindex len dateadd date_trunc row grouping_sets csc e";

const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_count_distinct",
    "approx_percentile",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "collect_list",
    "collect_set",
    "corr",
    "count",
    "count_if",
    "every",
    "first",
    "kurtosis",
    "last",
    "listagg",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "mode",
    "percentile",
    "percentile_approx",
    "percentile_cont",
    "percentile_disc",
    "skewness",
    "some",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "try_avg",
    "try_sum",
    "var_pop",
    "var_samp",
    "variance",
    "hll",
    "hll_combine",
    "grouping",
    "grouping_id",
];

/// Functions whose first argument is a date part, as a word.
const TAKE_PART: &[&str] = &[
    "dateadd",
    "date_add",
    "datediff",
    "date_diff",
    "date_part",
    "date_trunc",
    "timestampadd",
    "timestampdiff",
    "extract",
];

/// Whether a function does more than compute: it reads files, waits, changes settings, ends sessions, runs other queries or
/// programs. The warehouse of a rehearsal is PostgreSQL, which has more of them than Redshift.
pub(super) fn is_denied(dialect: Dialect, name: &str) -> bool {
    const PREFIXES: [&str; 6] = ["pg_", "lo_", "dblink", "txid_", "binary_upgrade_", "change_"];
    const HARMLESS: [&str; 7] = [
        "pg_backend_pid",
        "pg_get_session_id",
        "pg_last_copy_count",
        "pg_last_copy_id",
        "pg_last_query_id",
        "pg_last_unload_count",
        "pg_last_unload_id",
    ];
    const NAMES: [&str; 8] =
        ["set_config", "current_setting", "nextval", "setval", "currval", "lastval", "reboot_cluster", "ts_stat"];
    if dialect == Dialect::Spark {
        return ["reflect", "java_method", "try_reflect"].contains(&name);
    }
    let xml = name.contains("_to_xml") || name.contains("_to_xmlschema");
    !HARMLESS.contains(&name) && (xml || NAMES.contains(&name) || PREFIXES.iter().any(|start| name.starts_with(start)))
}

/// Whether a function makes one value of many rows.
pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// Whether its first argument is a date part.
pub(super) fn takes_part(name: &str) -> bool {
    TAKE_PART.contains(&name)
}

/// What a function takes and gives, if that is known here.
pub(super) fn signature(dialect: Dialect, name: &str) -> Option<&'static (&'static str, usize, usize, Takes, Gives)> {
    let own = if dialect == Dialect::Redshift { REDSHIFT } else { &[] };
    own.iter().chain(COMMON).find(|(known, ..)| *known == name)
}

/// All names that are right in a dialect.
pub(super) fn names(dialect: Dialect) -> impl Iterator<Item = &'static str> {
    let (own, rest) = match dialect {
        Dialect::Redshift => (REDSHIFT, REDSHIFT_NAMES),
        Dialect::Spark => (&[][..], SPARK_NAMES),
    };
    own.iter().chain(COMMON).map(|(name, ..)| *name).chain(rest.split_whitespace())
}
