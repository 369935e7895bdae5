//! Run-time settings: SET, SHOW, RESET, and what they mean here.
//!
//! The list of settings, with types, units, limits and defaults, is PostgreSQL's own (the catalog facts). What each
//! does here is said in [`policy`]: honoured, without effect on any answer (planner hints and the like), or fixed to the
//! one value whose behaviour we have. Asking a fixed one for another value fails with 0A000: a setting is never
//! accepted and then ignored.
//!
//! ```text
//!   boot value ◀ start-up packet ◀ SET (until commit: may be rolled back) ◀ SET LOCAL (until the transaction ends)
//! ```

mod policy;
mod value;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use helios_catalog::facts;
use helios_types::{PgError, Result, SqlState};

use policy::Policy;

/// How long a value set lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    /// `SET`, `SET SESSION`.
    Session,
    /// `SET LOCAL`.
    Local,
}

type Values = Arc<BTreeMap<String, String>>;

/// The settings of one session. Keys are lower-case names; values are in canonical form.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What RESET goes back to.
    defaults: Values,
    /// What a rollback goes back to.
    committed: Values,
    /// Set by SET in the running transaction; becomes `committed` with it.
    session: Values,
    /// What holds now: `session` with SET LOCAL's values.
    effective: Values,
    savepoints: Vec<(Values, Values)>,
}

impl Settings {
    /// PostgreSQL's defaults, as HeliosDB starts: UTC, UTF-8, builtin C.UTF-8.
    pub fn new() -> Settings {
        static BOOT: OnceLock<Values> = OnceLock::new();
        let values = BOOT.get_or_init(|| Arc::new(boot_values())).clone();
        Settings {
            defaults: values.clone(),
            committed: values.clone(),
            session: values.clone(),
            effective: values,
            savepoints: Vec::new(),
        }
    }

    /// A value given when the session began: RESET goes back to it.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let (key, value) = self.check(name, value)?;
        self.put_everywhere(&key, &value);
        Ok(())
    }

    /// Sets a value that the session itself owns (user, database-dependent ones), unchecked.
    pub(crate) fn assign(&mut self, key: &str, value: &str) {
        self.put_everywhere(key, value);
    }

    fn put_everywhere(&mut self, key: &str, value: &str) {
        let all = [&mut self.defaults, &mut self.committed, &mut self.session, &mut self.effective];
        if all.iter().any(|values| !Arc::ptr_eq(values, all[0])) {
            for values in all {
                Arc::make_mut(values).insert(key.to_owned(), value.to_owned());
            }
            return;
        }
        // While a session begins they are one map, and stay one.
        let [mut values, ..] = all.map(std::mem::take);
        Arc::make_mut(&mut values).insert(key.to_owned(), value.to_owned());
        (self.defaults, self.committed) = (values.clone(), values.clone());
        (self.session, self.effective) = (values.clone(), values);
    }

    /// `SET name = value`.
    pub fn set(&mut self, name: &str, value: &str, scope: SetScope) -> Result<()> {
        let (key, value) = self.check(name, value)?;
        self.put(key, value, scope);
        Ok(())
    }

    fn put(&mut self, key: String, value: String, scope: SetScope) {
        if scope == SetScope::Session {
            Arc::make_mut(&mut self.session).insert(key.clone(), value.clone());
        }
        Arc::make_mut(&mut self.effective).insert(key, value);
    }

    /// `RESET name`, `SET name TO DEFAULT`.
    pub fn reset(&mut self, name: &str, scope: SetScope) -> Result<()> {
        let key = name.to_ascii_lowercase();
        match self.defaults.get(&key).cloned() {
            Some(value) => {
                self.check_settable(&key)?;
                self.put(key, value, scope);
            }
            None if key.contains('.') => {
                Arc::make_mut(&mut self.session).remove(&key);
                Arc::make_mut(&mut self.effective).remove(&key);
            }
            None => return Err(unrecognized(name)),
        }
        Ok(())
    }

    /// `RESET ALL`.
    pub fn reset_all(&mut self) {
        self.session = self.defaults.clone();
        self.effective = self.defaults.clone();
    }

    /// The value as SHOW prints it.
    pub fn show(&self, name: &str) -> Result<String> {
        let key = name.to_ascii_lowercase();
        let value = self.effective.get(&key).ok_or_else(|| unrecognized(name))?;
        Ok(match definition(&key) {
            Some(fact) => value::display(fact, value),
            None => value.clone(),
        })
    }

    /// The value in canonical form; every known setting has one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.effective.get(key).map(String::as_str)
    }

    /// A boolean setting.
    pub fn is_on(&self, key: &str) -> bool {
        self.get(key) == Some("on")
    }

    /// A setting in milliseconds; `None` for 0, which means "no limit".
    pub fn millis(&self, key: &str) -> Option<std::time::Duration> {
        let millis: u64 = self.get(key)?.parse().ok()?;
        (millis > 0).then(|| std::time::Duration::from_millis(millis))
    }

    /// Everything that holds now.
    pub fn effective(&self) -> &Values {
        &self.effective
    }

    /// Whether `name` is a setting at all.
    pub fn knows(&self, name: &str) -> bool {
        self.effective.contains_key(&name.to_ascii_lowercase())
    }

    fn check_settable(&self, key: &str) -> Result<()> {
        let Some(fact) = definition(key) else { return Ok(()) };
        match fact.context {
            "user" | "superuser" | "superuser-backend" | "backend" if !policy::is_read_only(key) => Ok(()),
            "internal" => Err(cannot_change(fact.name, "cannot be changed")),
            "postmaster" => Err(cannot_change(fact.name, "cannot be changed without restarting the server")),
            "sighup" => Err(cannot_change(fact.name, "cannot be changed now")),
            _ => Err(cannot_change(fact.name, "cannot be changed")),
        }
    }

    fn check(&self, name: &str, value: &str) -> Result<(String, String)> {
        let key = name.to_ascii_lowercase();
        let Some(fact) = definition(&key) else {
            if value::is_custom_name(&key) {
                return Ok((key, value.to_owned()));
            }
            return Err(unrecognized(name));
        };
        self.check_settable(&key)?;
        let canonical = match key.as_str() {
            "datestyle" => value::date_style(value, self.get("datestyle").unwrap_or("ISO, MDY"))
                .ok_or_else(|| value::invalid(fact, value).with_detail(value::date_style_fault(value)))?,
            _ => value::canonical(fact, &key, value)?,
        };
        match policy::of(&key, fact) {
            Policy::Honoured | Policy::NoEffect => Ok((key, canonical)),
            Policy::Only(allowed) if allowed.contains(&canonical.as_str()) => Ok((key, canonical)),
            Policy::Only(_) => Err(PgError::unsupported(format!("setting \"{}\" to \"{value}\"", fact.name))),
            Policy::Default if Some(canonical.as_str()) == fact.boot_value => Ok((key, canonical)),
            Policy::Default => Err(PgError::unsupported(format!("setting \"{}\" to \"{value}\"", fact.name))),
        }
    }

    /// The transaction committed: SET stays, SET LOCAL goes.
    pub fn commit(&mut self) {
        self.committed = self.session.clone();
        self.effective = self.session.clone();
        self.savepoints.clear();
    }

    /// The transaction rolled back: everything it set goes.
    pub fn rollback(&mut self) {
        self.session = self.committed.clone();
        self.effective = self.committed.clone();
        self.savepoints.clear();
    }

    /// A savepoint was established.
    pub fn savepoint(&mut self) {
        self.savepoints.push((self.session.clone(), self.effective.clone()));
    }

    /// ROLLBACK TO the savepoint number `depth`, counted from 0.
    pub fn rollback_to(&mut self, depth: usize) {
        if let Some((session, effective)) = self.savepoints.get(depth).cloned() {
            self.session = session;
            self.effective = effective;
            self.savepoints.truncate(depth + 1);
        }
    }

    /// RELEASE of the savepoint number `depth`.
    pub fn release(&mut self, depth: usize) {
        self.savepoints.truncate(depth);
    }

    /// Names (as clients know them) and values of the settings that the server reports to its clients.
    pub fn reported(&self) -> Vec<(&'static str, String)> {
        REPORTED.iter().map(|name| (*name, self.show(name).unwrap_or_default())).collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::new()
    }
}

fn boot_values() -> BTreeMap<String, String> {
    let value = |fact: &facts::Setting| {
        let key = fact.name.to_ascii_lowercase();
        let boot = policy::default_of(&key).unwrap_or(fact.boot_value.unwrap_or(""));
        (key, boot.to_owned())
    };
    facts::settings().iter().map(value).collect()
}

/// Settings that PostgreSQL 18 marks GUC_REPORT, in the order in which a server sends them.
const REPORTED: [&str; 15] = [
    "in_hot_standby",
    "integer_datetimes",
    "TimeZone",
    "IntervalStyle",
    "search_path",
    "is_superuser",
    "application_name",
    "default_transaction_read_only",
    "scram_iterations",
    "DateStyle",
    "standard_conforming_strings",
    "session_authorization",
    "client_encoding",
    "server_version",
    "server_encoding",
];

/// A boolean as SET takes it.
pub(crate) fn boolean(name: &str, value: &str) -> Result<bool> {
    value::parse_bool(value).ok_or_else(|| {
        let message = format!("parameter \"{name}\" requires a Boolean value");
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })
}

fn definition(key: &str) -> Option<&'static facts::Setting> {
    facts::setting(key)
}

fn unrecognized(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn cannot_change(name: &str, how: &str) -> PgError {
    PgError::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" {how}"))
}
