//! `pg_settings`: what PostgreSQL's configuration parameters are called and may be.

use helios_env::sync::OnceLock;

use super::table::rows;

/// A configuration parameter.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Setting {
    /// As PostgreSQL spells it (`DateStyle`); looked up without regard to case.
    pub name: &'static str,
    /// `boot_val`: the compiled-in default.
    pub boot_value: Option<&'static str>,
    pub unit: Option<&'static str>,
    pub category: &'static str,
    pub short_description: &'static str,
    pub extra_description: Option<&'static str>,
    /// `user`, `superuser`, `sighup`, `postmaster`, `internal`, `backend`, `superuser-backend`.
    pub context: &'static str,
    /// `bool`, `enum`, `integer`, `real`, `string`.
    pub kind: &'static str,
    pub min: Option<&'static str>,
    pub max: Option<&'static str>,
    /// What an enum may be.
    pub values: Option<Box<[&'static str]>>,
    /// `pg_settings_get_flags`, blank-separated: `EXPLAIN`, `NO_SHOW_ALL`, `NO_RESET`, `RUNTIME_COMPUTED`, ...
    pub flags: &'static str,
}

/// Every parameter, in the order of names (byte by byte).
pub fn settings() -> &'static [Setting] {
    static TABLE: OnceLock<Box<[Setting]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("settings.tsv", include_str!("../../facts/settings.tsv"), |f| Setting {
            name: f.text(),
            boot_value: f.optional(),
            unit: f.optional(),
            category: f.text(),
            short_description: f.text(),
            extra_description: f.optional(),
            context: f.text(),
            kind: f.text(),
            min: f.optional(),
            max: f.optional(),
            values: f.texts(),
            flags: f.text(),
        })
    })
}

/// The parameter of this name, without regard to case.
pub fn setting(name: &str) -> Option<&'static Setting> {
    settings().iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}
