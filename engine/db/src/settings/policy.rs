//! What each setting does here.

use helios_catalog::facts::Setting;

/// What becomes of a value that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// It changes behaviour as documented.
    Honoured,
    /// It can change no answer, only how fast it comes or what is logged: taken and shown.
    NoEffect,
    /// Only these values have the behaviour that we have.
    Only(&'static [&'static str]),
    /// Only the default has.
    Default,
}

const HONOURED: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_min_messages",
    "datestyle",
    "deadlock_timeout",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "intervalstyle",
    "lock_timeout",
    "search_path",
    "statement_timeout",
    "synchronous_commit",
    "timezone",
    "transaction_isolation",
    "transaction_read_only",
];

const ONLY: &[(&str, &[&str])] = &[
    ("check_function_bodies", &["on", "off"]),
    ("client_encoding", &["UTF8"]),
    ("default_table_access_method", &["heap"]),
    ("default_tablespace", &["", "pg_default"]),
    ("default_with_oids", &["off"]),
    ("escape_string_warning", &["on", "off"]),
    ("exit_on_error", &["off"]),
    ("row_security", &["on", "off"]),
    ("standard_conforming_strings", &["on"]),
    ("xmloption", &["content"]),
];

const NO_EFFECT_CATEGORIES: &[&str] =
    &["Query Tuning", "Resource Usage", "Reporting and Logging", "Autovacuum", "Statistics", "Vacuuming"];

const NO_EFFECT: &[&str] = &["jit", "backend_flush_after", "commit_delay", "commit_siblings", "update_process_title"];

const DEFAULTS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("data_checksums", "on"),
    ("default_text_search_config", "pg_catalog.english"),
    ("in_hot_standby", "off"),
    ("is_superuser", "on"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("log_timezone", "UTC"),
    ("max_prepared_transactions", "0"),
    ("max_stack_depth", "2048"),
    ("server_encoding", "UTF8"),
    ("session_authorization", "postgres"),
    ("timezone", "UTC"),
    ("wal_level", "replica"),
];

pub(super) fn of(key: &str, fact: &Setting) -> Policy {
    if HONOURED.contains(&key) {
        return Policy::Honoured;
    }
    if let Some((_, allowed)) = ONLY.iter().find(|(name, _)| *name == key) {
        return Policy::Only(allowed);
    }
    if NO_EFFECT.contains(&key) || NO_EFFECT_CATEGORIES.iter().any(|category| fact.category.starts_with(category)) {
        return Policy::NoEffect;
    }
    Policy::Default
}

/// The value a session starts with, where it is not PostgreSQL's boot value.
pub(super) fn default_of(key: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// Settings that PostgreSQL lets nobody set by SET although their context says so.
pub(super) fn is_read_only(key: &str) -> bool {
    matches!(key, "is_superuser" | "server_version" | "server_version_num" | "server_encoding" | "in_hot_standby")
}
