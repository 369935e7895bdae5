//! What a statement knows about its session: explicit, passed along, never a global.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_env::{Clock, Rng, SplitMix64, Timestamp};
use helios_types::Oid;
use helios_types::datetime::{DateOrder, DateStyle, IntervalStyle, TimeZone};
use helios_types::io::{ByteaOutput, Style};

/// A session as the SQL floor sees it.
#[derive(Clone)]
pub struct SessionContext {
    /// Current database.
    pub database: Arc<str>,
    /// Its `pg_database.oid`.
    pub database_oid: Oid,
    /// Current user.
    pub user: Arc<str>,
    /// Its `pg_authid.oid`.
    pub user_oid: Oid,
    /// The user who logged in.
    pub session_user: Arc<str>,
    /// What `pg_backend_pid()` says.
    pub backend_pid: i32,
    /// Run-time settings (GUCs) by lower-case name, as text in canonical form; every known one is there.
    pub settings: Arc<BTreeMap<String, String>>,
    /// What the settings say about text forms: see [`text_style`]. Whoever changes a setting makes it anew.
    pub style: Arc<Style>,
    /// `now()`: when the transaction began.
    pub transaction_timestamp: Timestamp,
    /// When the statement arrived.
    pub statement_timestamp: Timestamp,
    /// For `clock_timestamp()` and sleeping.
    pub clock: Arc<dyn Clock>,
    /// For `gen_random_uuid()`, and for what `random()` begins with.
    pub rng: Arc<dyn Rng>,
    /// The state of `random()`, which `setseed` sets: one a session, kept over its transactions.
    pub random: Arc<RandomState>,
}

/// A generator that answers like PostgreSQL's after the same `setseed`: xoroshiro128**, seeded by SplitMix64. Until then
/// it is seeded by the environment.
#[derive(Debug, Default)]
pub struct RandomState(Mutex<Option<[u64; 2]>>);

impl RandomState {
    /// Begins anew from a seed.
    pub fn seed(&self, seed: u64) {
        *self.0.lock() = Some(RandomState::seeded(seed));
    }

    fn seeded(seed: u64) -> [u64; 2] {
        let (state, first) = SplitMix64::step(seed);
        [first, SplitMix64::step(state).1]
    }

    /// 64 uniform bits.
    pub fn next(&self, rng: &dyn Rng) -> u64 {
        let mut state = self.0.lock();
        let [s0, s1] = state.unwrap_or_else(|| RandomState::seeded(rng.next_u64()));
        let mixed = s1 ^ s0;
        *state = Some([s0.rotate_left(24) ^ mixed ^ (mixed << 16), mixed.rotate_left(37)]);
        s0.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }
}

impl SessionContext {
    /// A setting's value, by lower-case name.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// When the transaction began, in microseconds since 2000-01-01 UTC: what `now` means.
    pub fn now(&self) -> i64 {
        const FROM_1970_TO_2000_MICROS: i64 = 946_684_800_000_000;
        self.transaction_timestamp.0 - FROM_1970_TO_2000_MICROS
    }
}

/// What settings in canonical form say about text forms; what is missing or unknown is as PostgreSQL's default.
pub fn text_style(settings: &BTreeMap<String, String>) -> Style {
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let date_style = setting("datestyle").to_ascii_lowercase();
    let mut style = Style::default();
    for word in date_style.split([',', ' ']) {
        match word {
            "iso" => style.date_style = DateStyle::Iso,
            "sql" => style.date_style = DateStyle::Sql,
            "postgres" => style.date_style = DateStyle::Postgres,
            "german" => style.date_style = DateStyle::German,
            "mdy" => style.date_order = DateOrder::Mdy,
            "dmy" => style.date_order = DateOrder::Dmy,
            "ymd" => style.date_order = DateOrder::Ymd,
            _ => {}
        }
    }
    style.interval_style = match setting("intervalstyle") {
        "postgres_verbose" => IntervalStyle::PostgresVerbose,
        "sql_standard" => IntervalStyle::SqlStandard,
        "iso_8601" => IntervalStyle::Iso8601,
        _ => IntervalStyle::Postgres,
    };
    if let Some(zone) = TimeZone::named(setting("timezone")) {
        style.time_zone = zone;
    }
    if let Ok(digits) = setting("extra_float_digits").parse() {
        style.extra_float_digits = digits;
    }
    if setting("bytea_output") == "escape" {
        style.bytea_output = ByteaOutput::Escape;
    }
    style
}
