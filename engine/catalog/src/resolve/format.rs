//! Types as SQL text.

use helios_types::{Oid, TypeMod, oid};

use super::Lookup;
use crate::facts::{Type, quote_identifier, quote_qualified};

/// `typstorage = plain`: the fixed-length arrays (`oidvector`) are not written as arrays.
const STORAGE_PLAIN: u8 = b'p';

/// `timetz`, `varbit`: names that the grammar writes with blanks.
fn sql_name(oid: Oid) -> Option<(&'static str, &'static str)> {
    Some(match oid {
        oid::BIT => ("bit", ""),
        oid::BOOL => ("boolean", ""),
        oid::BPCHAR => ("character", ""),
        oid::FLOAT4 => ("real", ""),
        oid::FLOAT8 => ("double precision", ""),
        oid::INT2 => ("smallint", ""),
        oid::INT4 => ("integer", ""),
        oid::INT8 => ("bigint", ""),
        oid::NUMERIC => ("numeric", ""),
        oid::INTERVAL => ("interval", ""),
        // A reserved word of the grammar, but never quoted here.
        oid::JSON => ("json", ""),
        oid::TIME => ("time", " without time zone"),
        oid::TIMETZ => ("time", " with time zone"),
        oid::TIMESTAMP => ("timestamp", " without time zone"),
        oid::TIMESTAMPTZ => ("timestamp", " with time zone"),
        oid::VARBIT => ("bit varying", ""),
        oid::VARCHAR => ("character varying", ""),
        _ => return None,
    })
}

impl Lookup<'_> {
    /// The type's SQL name without modifier, as error messages have it: `character varying`, `integer[]`.
    pub fn format_type(&self, oid: Oid) -> String {
        self.formatted(oid, None)
    }

    /// What the SQL function `format_type(oid, typmod)` says: with -1, types whose bare name would mean a length of 1
    /// are named otherwise (`bpchar`, `"bit"`).
    pub fn format_type_with(&self, oid: Oid, typmod: TypeMod) -> String {
        self.formatted(oid, Some(typmod))
    }

    fn formatted(&self, oid: Oid, typmod: Option<TypeMod>) -> String {
        if oid.is_none() {
            return "-".to_owned();
        }
        let Some(row) = self.type_by_oid(oid) else { return "???".to_owned() };
        if row.is_true_array() && row.storage != STORAGE_PLAIN {
            let Some(element) = self.type_by_oid(row.element) else { return "???[]".to_owned() };
            return format!("{}[]", self.formatted_scalar(element, typmod));
        }
        self.formatted_scalar(row, typmod)
    }

    fn formatted_scalar(&self, row: &Type, typmod: Option<TypeMod>) -> String {
        let modifier = typmod.filter(|&typmod| typmod >= 0);
        let unmarked = matches!(row.oid, oid::BIT | oid::BPCHAR) && typmod.is_some() && modifier.is_none();
        if let Some((name, suffix)) = sql_name(row.oid)
            && !unmarked
        {
            return match modifier {
                // The output function of the modifier writes the suffix too.
                Some(modifier) => format!("{name}{}", modifier_text(row.oid, modifier)),
                None => format!("{name}{suffix}"),
            };
        }
        let name = if self.type_is_visible(row) {
            quote_identifier(&row.name).into_owned()
        } else {
            quote_qualified(self.catalog.schema_name(row.namespace).unwrap_or("???"), &row.name)
        };
        match modifier {
            Some(modifier) => format!("{name}{}", modifier_text(row.oid, modifier)),
            None => name,
        }
    }

    /// Whether the type's name alone finds it (`pg_type_is_visible`).
    pub fn type_is_visible(&self, row: &Type) -> bool {
        let first = self.search_path.iter().find_map(|&schema| self.catalog.type_by_name(schema, &row.name));
        first.is_some_and(|found| found.oid == row.oid)
    }
}

/// What stands behind the type's name for a modifier: `(10,2)`, `(3) with time zone`, ` day to second(3)`.
fn modifier_text(oid: Oid, modifier: TypeMod) -> String {
    match oid {
        oid::BPCHAR | oid::VARCHAR if modifier > 4 => format!("({})", modifier - 4),
        oid::BPCHAR | oid::VARCHAR => String::new(),
        oid::NUMERIC if modifier >= 4 => {
            let packed = modifier - 4;
            // The scale is an 11-bit two's complement number.
            let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
            format!("({},{scale})", packed >> 16 & 0xffff)
        }
        oid::NUMERIC => String::new(),
        oid::TIME | oid::TIMESTAMP => format!("({modifier}) without time zone"),
        oid::TIMETZ | oid::TIMESTAMPTZ => format!("({modifier}) with time zone"),
        oid::INTERVAL => interval_text(modifier),
        oid::BIT | oid::VARBIT => format!("({modifier})"),
        _ => format!("({modifier})"),
    }
}

/// The fields and precision of an interval's modifier.
fn interval_text(modifier: TypeMod) -> String {
    const YEAR: i32 = 1 << 2;
    const MONTH: i32 = 1 << 1;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    const FULL_PRECISION: i32 = 0xffff;
    let fields = match modifier >> 16 & 0x7fff {
        YEAR => " year",
        MONTH => " month",
        DAY => " day",
        HOUR => " hour",
        MINUTE => " minute",
        SECOND => " second",
        range if range == YEAR | MONTH => " year to month",
        range if range == DAY | HOUR => " day to hour",
        range if range == DAY | HOUR | MINUTE => " day to minute",
        range if range == DAY | HOUR | MINUTE | SECOND => " day to second",
        range if range == HOUR | MINUTE => " hour to minute",
        range if range == HOUR | MINUTE | SECOND => " hour to second",
        range if range == MINUTE | SECOND => " minute to second",
        _ => "",
    };
    match modifier & 0xffff {
        FULL_PRECISION => fields.to_owned(),
        precision => format!("{fields}({precision})"),
    }
}
