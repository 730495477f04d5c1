//! What input may be at most: depth, size and growth. Each limit stands here once, with its reason.
//!
//! The limits hold against files that somebody else wrote (a pull request, a supplier's data), and against mistakes. They
//! are far above what a real project needs. A limit that is exceeded is an error with its location, never a crash.

/// How deep the mappings and lists of a YAML or JSON document may be nested.
///
/// CloudFormation templates with policies in them are about 15 deep. Every walk over a document uses some stack a level.
pub const YAML_DEPTH: usize = 100;

/// How many keys, values and lists a YAML document may have.
///
/// The largest template that CloudFormation takes, 1 MB, holds fewer. Each takes about 200 bytes of memory.
pub const YAML_NODES: usize = 1_000_000;

/// How many parts of a YAML document may be copies that aliases (`*name`) make.
///
/// Aliases of aliases grow exponentially: nine lines can stand for a billion values.
pub const YAML_ALIAS_COPIES: usize = 50_000;

/// How many bytes of text the aliases of a YAML document may copy: one long text can be copied often.
pub const YAML_ALIAS_BYTES: usize = 4 * 1024 * 1024;

/// How deep parentheses, queries, functions and `CASE` of a query may be nested.
pub const SQL_NESTING: usize = 100;

/// How deep the tree of a query may be: its nesting and the operators that follow each other.
///
/// `1 + 1 + 1` is a tree of two levels. PostgreSQL itself gives up at a few thousand.
pub const SQL_DEPTH: usize = 2_000;

/// How deep blocks, parentheses and lists of a Handlebars template may be nested.
pub const TEMPLATE_NESTING: usize = 50;

/// How many partials a template may render, its own and those within them. Two that use the next one twice each, 30
/// levels deep, would render a billion.
pub const TEMPLATE_PARTIALS: usize = 10_000;

/// How large a rendered template may be before it is laid out. CloudFormation takes 1 MB.
pub const RENDERED_BYTES: usize = 4 * 1024 * 1024;

/// How many conditions of a CloudFormation template may depend on each other in a row.
pub const CONDITION_DEPTH: usize = 50;

/// How many conditions of a template may have to be evaluated for one of them.
///
/// A condition that names another twice doubles the work with each level.
pub const CONDITION_STEPS: usize = 1_000;

/// How many resources a stack may have (CloudFormation, "Resources").
pub const STACK_RESOURCES: usize = 500;

/// How many characters of a line of a file an error quotes, around the span.
pub const QUOTED_COLUMNS: usize = 200;

/// How long a line of an error's own text is: names in it may be as long as a file.
pub const MESSAGE_COLUMNS: usize = 4_000;

/// The longest name for which a similar one is looked for: that takes time with the product of both lengths.
pub const COMPARED_NAME: usize = 256;

/// The largest file of `stacks/`. The reference pipeline has 10 KB.
pub const SPEC_BYTES: u64 = 4 * MIB;

/// The largest SQL file. The Redshift Data API takes 100,000 bytes, comments not counted.
pub const SQL_BYTES: u64 = MIB;

/// The largest Handlebars template. CloudFormation takes 1 MB of what is rendered.
pub const TEMPLATE_BYTES: u64 = 2 * MIB;

/// The largest file of `lambda-src` and `glue-src`.
pub const CODE_BYTES: u64 = 16 * MIB;

/// The largest saved plan: it holds the templates and properties of all stacks.
pub const PLAN_BYTES: u64 = 64 * MIB;

/// The largest list of what was built last.
pub const MANIFEST_BYTES: u64 = MIB;

/// The largest artifact: Lambda takes 250 MB unpacked.
pub const ARTIFACT_BYTES: u64 = 256 * MIB;

/// The largest value of a secret (Secrets Manager, "Quotas").
pub const SECRET_BYTES: u64 = 65_536;

/// The longest row of a CSV file and the longest line of JSON lines that is read at once. A `super` value of Redshift has
/// at most 16 MB.
pub const ROW_BYTES: u64 = 64 * MIB;

/// The jobs have the same limits.
pub use pipectl_contract::limits::{UNPACKED_FREE_BYTES, UNPACKED_RATIO};

/// How large a packed file may be unpacked. One worker of a job reads it alone.
pub const UNPACKED_BYTES: u64 = 64 * 1024 * MIB;

const MIB: u64 = 1024 * 1024;

/// The stack that the deepest input within these limits needs, in a debug build.
///
/// Threads of the async runtime have 2 MiB, the main thread has 8 MiB on Linux and 1 MiB on Windows.
const DEEP_STACK: usize = 64 * 1024 * 1024;

/// Runs work that recurses over user input on a stack that is large enough for the limits. Memory is used only as far
/// as the input is deep.
pub fn on_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    // Most of the time the calling thread has less, so a new stack is mapped: some microseconds.
    stacker::maybe_grow(DEEP_STACK - 1024 * 1024, DEEP_STACK, work)
}
