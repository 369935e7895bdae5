//! `pg_settings`.

use super::value::{Null, row, text_array};
use super::{Row, Source};
use crate::facts;

pub(super) fn pg_settings(source: &Source<'_>) -> Vec<Row> {
    let shown = facts::settings().iter().filter(|setting| !setting.flags.split(' ').any(|flag| flag == "NO_SHOW_ALL"));
    let one = |setting: &facts::Setting| {
        let name = setting.name.to_ascii_lowercase();
        let set = source.context.setting(&name);
        let changed = set.is_some() && set.as_deref() != setting.boot_value;
        row![
            setting.name,
            set.or_else(|| setting.boot_value.map(str::to_owned)),
            setting.unit,
            setting.category,
            setting.short_description,
            setting.extra_description,
            setting.context,
            setting.kind,
            if changed { "session" } else { "default" },
            setting.min,
            setting.max,
            setting.values.as_ref().map(|values| text_array(values.iter().copied())),
            setting.boot_value,
            setting.boot_value,
            Null,
            Null,
            false,
        ]
    };
    shown.map(one).collect()
}
