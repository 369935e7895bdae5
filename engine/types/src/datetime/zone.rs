//! Time zones: by IANA name, by POSIX rule, by fixed displacement, and the abbreviations that input accepts.
//!
//! Rules come from the tz database that `jiff` bundles. Its years end at 9999 and PostgreSQL's at 294276: a time
//! beyond is moved back by multiples of 400 years, after which the calendar and so the rules repeat.
//!
//! Where a local time does not exist (clocks went forward) the displacement before the change counts; where it exists
//! twice (clocks went back) the one after. That is PostgreSQL's choice.

use std::sync::Arc;

use jiff::tz::{AmbiguousOffset, TimeZone as Rules, TimeZoneDatabase};

use super::{MICROS_PER_SECOND, UNIX_EPOCH_DAYS, civil_from_days};
use crate::{PgError, Result, SqlState};

/// Seconds of 400 years.
const CYCLE_SECONDS: i64 = 146_097 * 86_400;
/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_SECONDS: i64 = UNIX_EPOCH_DAYS * 86_400;
/// Unix seconds within which jiff answers, a few days inside of its range.
const RULES_MIN: i64 = -377_705_000_000;
const RULES_MAX: i64 = 253_402_000_000;

/// A time zone and its name.
#[derive(Clone)]
pub struct TimeZone {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Seconds east of UTC.
    Fixed {
        seconds: i32,
        abbreviation: Arc<str>,
    },
    Rules(Rules),
}

/// What a zone says about a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneOffset {
    /// Seconds east of UTC.
    pub seconds: i32,
    /// `CEST`, `+03`.
    pub abbreviation: String,
    /// Whether summer time is in force.
    pub is_dst: bool,
}

impl std::fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TimeZone({})", self.name)
    }
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &TimeZone) -> bool {
        self.name == other.name
    }
}

/// `<-03:30>+03:30`: PostgreSQL's name for a displacement.
fn displacement_name(seconds: i32) -> (String, String) {
    let magnitude = seconds.unsigned_abs();
    let (hours, minutes, rest) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    let mut digits = format!("{hours:02}");
    if minutes > 0 || rest > 0 {
        digits.push_str(&format!(":{minutes:02}"));
    }
    if rest > 0 {
        digits.push_str(&format!(":{rest:02}"));
    }
    let (sign, posix_sign) = if seconds >= 0 { ('+', '-') } else { ('-', '+') };
    (format!("{sign}{digits}"), format!("<{sign}{digits}>{posix_sign}{digits}"))
}

/// The abbreviation at the front of a POSIX zone string, bare or in angle brackets. PostgreSQL takes nearly anything.
fn posix_abbreviation(name: &str) -> Option<(&str, &str)> {
    match name.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>'),
        None => {
            let is_end = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | '+');
            Some(name.split_at(name.find(is_end).unwrap_or(name.len())))
        }
    }
}

/// `[+-]hh[:mm[:ss]]`, west of Greenwich when positive: seconds east, and what follows.
fn posix_displacement(text: &str) -> Option<(i32, &str)> {
    let (west, mut rest) = match text.as_bytes().first()? {
        b'-' => (false, &text[1..]),
        b'+' => (true, &text[1..]),
        _ => (true, text),
    };
    let mut seconds = 0;
    for (index, (limit, unit)) in [(167, 3600), (59, 60), (60, 1)].into_iter().enumerate() {
        if index > 0 {
            match rest.strip_prefix(':') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i32 = rest[..digits].parse().ok()?;
        if number > limit {
            return None;
        }
        seconds += number * unit;
        rest = &rest[digits..];
    }
    Some((if west { -seconds } else { seconds }, rest))
}

/// The front of a POSIX zone string, `EST5` or `<+03>-3`: abbreviation, seconds east of UTC, and what follows.
fn posix_fixed(name: &str) -> Option<(&str, i32, &str)> {
    let (abbreviation, rest) = posix_abbreviation(name)?;
    let (seconds, rest) = posix_displacement(rest)?;
    Some((abbreviation, seconds, rest))
}

/// A POSIX zone with summer time: the abbreviation, displacement and rule of that follow. Without a rule it is that of the
/// United States, without a displacement an hour more than standard time.
fn posix_rules(standard: &str, seconds: i32, rest: &str) -> Option<Rules> {
    let (daylight, rest) = posix_abbreviation(rest)?;
    if daylight.is_empty() {
        return None;
    }
    let (daylight_seconds, rule) = match rest.as_bytes().first() {
        None | Some(b',') => (seconds + 3600, rest),
        _ => posix_displacement(rest)?,
    };
    let rule = if rule.is_empty() { ",M3.2.0,M11.1.0" } else { rule };
    // jiff is stricter than PostgreSQL about what an abbreviation may contain.
    let accepted = |name: &str, other: &'static str| -> String {
        let plain = (3..=30).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
        format!("<{}>", if plain { name } else { other })
    };
    let displacement = |east: i32| {
        let (sign, west) = if east > 0 { ("-", east) } else { ("", -east) };
        format!("{sign}{}:{:02}:{:02}", west / 3600, west / 60 % 60, west % 60)
    };
    Rules::posix(&format!(
        "{}{}{}{}{rule}",
        accepted(standard, "STD"),
        displacement(seconds),
        accepted(daylight, "DST"),
        displacement(daylight_seconds)
    ))
    .ok()
}

impl TimeZone {
    /// UTC.
    pub fn utc() -> TimeZone {
        TimeZone { name: Arc::from("UTC"), kind: Kind::Fixed { seconds: 0, abbreviation: Arc::from("UTC") } }
    }

    /// A fixed displacement in seconds east of UTC, as `SET TIME ZONE -3.5` makes it.
    pub fn fixed(seconds: i32) -> TimeZone {
        let (abbreviation, name) = displacement_name(seconds);
        TimeZone { name: name.into(), kind: Kind::Fixed { seconds, abbreviation: abbreviation.into() } }
    }

    /// An IANA name in any case, or a POSIX zone string (`EST5EDT,M3.2.0,M11.1.0`, `<+03>-3`).
    pub fn named(name: &str) -> Option<TimeZone> {
        if name.is_empty() || name.len() > 255 {
            return None;
        }
        if name.eq_ignore_ascii_case("utc") {
            return Some(TimeZone::utc());
        }
        if !name.eq_ignore_ascii_case("etc/unknown")
            && let Ok(rules) = TimeZoneDatabase::bundled().get(name)
        {
            let name = rules.iana_name().unwrap_or(name).into();
            return Some(TimeZone { name, kind: Kind::Rules(rules) });
        }
        // A POSIX string: PostgreSQL shows it in upper case.
        let upper = name.to_ascii_uppercase();
        let kind = match posix_fixed(&upper)? {
            (abbreviation, seconds, "") => Kind::Fixed { seconds, abbreviation: abbreviation.into() },
            (standard, seconds, rest) => Kind::Rules(posix_rules(standard, seconds, rest)?),
        };
        Some(TimeZone { name: upper.into(), kind })
    }

    /// The name that `SHOW TimeZone` gives.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Displacement, abbreviation and summer time at a moment (microseconds since 2000-01-01 UTC).
    pub fn at(&self, timestamp: i64) -> ZoneOffset {
        match &self.kind {
            Kind::Fixed { seconds, abbreviation } => {
                ZoneOffset { seconds: *seconds, abbreviation: abbreviation.to_string(), is_dst: false }
            }
            Kind::Rules(rules) => {
                let info = rules.to_offset_info(moment(timestamp));
                ZoneOffset {
                    seconds: info.offset().seconds(),
                    abbreviation: info.abbreviation().to_string(),
                    is_dst: info.dst().is_dst(),
                }
            }
        }
    }

    /// Seconds east of UTC at a moment (microseconds since 2000-01-01 UTC).
    #[inline]
    pub fn seconds_at(&self, timestamp: i64) -> i32 {
        match &self.kind {
            Kind::Fixed { seconds, .. } => *seconds,
            Kind::Rules(rules) => rules.to_offset(moment(timestamp)).seconds(),
        }
    }

    /// Seconds east of UTC at a local time (microseconds since 2000-01-01 00:00 local).
    pub fn seconds_at_local(&self, local: i64) -> i32 {
        let rules = match &self.kind {
            Kind::Fixed { seconds, .. } => return *seconds,
            Kind::Rules(rules) => rules,
        };
        let seconds = in_rules_range(local.div_euclid(MICROS_PER_SECOND) + EPOCH_SECONDS);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let civil = civil_from_days(days - UNIX_EPOCH_DAYS);
        let local = jiff::civil::DateTime::new(
            civil.year as i16,
            civil.month as i8,
            civil.day as i8,
            (second / 3600) as i8,
            (second / 60 % 60) as i8,
            (second % 60) as i8,
            0,
        )
        .expect("within jiff's range");
        match rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Gap { before, .. } => before.seconds(),
            AmbiguousOffset::Fold { after, .. } => after.seconds(),
        }
    }

    /// The displacement if it never changes.
    pub fn fixed_seconds(&self) -> Option<i32> {
        match &self.kind {
            Kind::Fixed { seconds, .. } => Some(*seconds),
            Kind::Rules(rules) => {
                let first = rules.to_offset(moment(i64::MIN / 4)).seconds();
                let changes =
                    rules.following(moment(i64::MIN / 4)).take(400).any(|next| next.offset().seconds() != first);
                (!changes).then_some(first)
            }
        }
    }

    /// What an abbreviation means in this zone at about a moment: its latest use before, else its first after.
    pub fn interpret_abbreviation(&self, abbreviation: &str, timestamp: i64) -> Option<(i32, bool)> {
        let rules = match &self.kind {
            Kind::Fixed { seconds, abbreviation: own } => {
                return own.eq_ignore_ascii_case(abbreviation).then_some((*seconds, false));
            }
            Kind::Rules(rules) => rules,
        };
        let at = moment(timestamp);
        let now = rules.to_offset_info(at);
        if now.abbreviation().eq_ignore_ascii_case(abbreviation) {
            return Some((now.offset().seconds(), now.dst().is_dst()));
        }
        let is_it = |candidate: &str| candidate.eq_ignore_ascii_case(abbreviation);
        // Rules that repeat for ever are as good after a few years as after many.
        let recent = repeating().min(at);
        let before = rules.preceding(recent).find(|transition| is_it(transition.abbreviation()));
        if let Some(transition) = before {
            return Some((transition.offset().seconds(), transition.dst().is_dst()));
        }
        let first = rules.to_offset_info(moment(i64::MIN / 4));
        if is_it(first.abbreviation()) {
            return Some((first.offset().seconds(), first.dst().is_dst()));
        }
        let after = rules.following(at).take(400).find(|transition| is_it(transition.abbreviation()));
        after.map(|transition| (transition.offset().seconds(), transition.dst().is_dst()))
    }
}

/// Unix seconds moved by whole calendar cycles into the range of the rules.
fn in_rules_range(seconds: i64) -> i64 {
    if seconds > RULES_MAX {
        seconds - ((seconds - RULES_MAX - 1) / CYCLE_SECONDS + 1) * CYCLE_SECONDS
    } else {
        seconds.max(RULES_MIN)
    }
}

fn moment(timestamp: i64) -> jiff::Timestamp {
    let seconds = in_rules_range(timestamp.div_euclid(MICROS_PER_SECOND) + EPOCH_SECONDS);
    jiff::Timestamp::from_second(seconds).expect("within jiff's range")
}

/// What a zone's name in a value or after AT TIME ZONE means.
#[derive(Clone, Debug)]
pub enum ZoneSpec {
    /// An abbreviation that always means the same: seconds east of UTC, summer time.
    Fixed(i32, bool),
    /// An abbreviation whose meaning in a zone depends on the time.
    Abbreviation(TimeZone, String),
    /// A zone.
    Zone(TimeZone),
}

impl ZoneSpec {
    /// An abbreviation: one that the session's zone uses, else one of PostgreSQL's default set.
    pub fn abbreviation(word: &str, session: &TimeZone) -> Option<ZoneSpec> {
        /// `abbreviation<TAB>seconds or zone<TAB>S(tandard), D(aylight saving) or Z(one)`
        const ABBREVIATIONS: &str = include_str!("abbreviations.tsv");
        if word.is_empty() || word.len() > 10 || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        if let Some(found) = session.own_abbreviation(word) {
            return Some(found);
        }
        let lower = word.to_ascii_lowercase();
        ABBREVIATIONS.lines().find_map(|line| {
            let mut parts = line.split('\t');
            if parts.next()? != lower {
                return None;
            }
            let (meaning, class) = (parts.next()?, parts.next()?);
            match class {
                "Z" => TimeZone::named(meaning).map(|zone| ZoneSpec::Abbreviation(zone, word.to_string())),
                _ => Some(ZoneSpec::Fixed(meaning.parse().ok()?, class == "D")),
            }
        })
    }

    /// An abbreviation or a zone's name, or 22023 `time zone "X" not recognized`.
    pub fn parse(name: &str, session: &TimeZone) -> Result<ZoneSpec> {
        if let Some(found) = ZoneSpec::abbreviation(name, session) {
            return Ok(found);
        }
        TimeZone::named(name).map(ZoneSpec::Zone).ok_or_else(|| {
            PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
        })
    }

    /// Seconds east of UTC at a local time.
    pub fn seconds_at_local(&self, local: i64) -> i32 {
        match self {
            ZoneSpec::Fixed(seconds, _) => *seconds,
            ZoneSpec::Zone(zone) => zone.seconds_at_local(local),
            ZoneSpec::Abbreviation(zone, word) => {
                let seconds = zone.seconds_at_local(local);
                let timestamp = local.saturating_sub(i64::from(seconds) * MICROS_PER_SECOND);
                zone.interpret_abbreviation(word, timestamp).map_or(seconds, |(seconds, _)| seconds)
            }
        }
    }

    /// Seconds east of UTC at a moment.
    pub fn seconds_at(&self, timestamp: i64) -> i32 {
        match self {
            ZoneSpec::Fixed(seconds, _) => *seconds,
            ZoneSpec::Zone(zone) => zone.seconds_at(timestamp),
            ZoneSpec::Abbreviation(zone, word) => {
                let meaning = zone.interpret_abbreviation(word, timestamp);
                meaning.map_or_else(|| zone.seconds_at(timestamp), |(seconds, _)| seconds)
            }
        }
    }
}

impl TimeZone {
    /// An abbreviation that this zone itself uses, now or ever.
    fn own_abbreviation(&self, word: &str) -> Option<ZoneSpec> {
        let rules = match &self.kind {
            Kind::Fixed { seconds, abbreviation } => {
                return abbreviation.eq_ignore_ascii_case(word).then_some(ZoneSpec::Fixed(*seconds, false));
            }
            Kind::Rules(rules) => rules,
        };
        let first = rules.to_offset_info(moment(i64::MIN / 4));
        let first = (first.abbreviation().to_string(), first.offset().seconds(), first.dst().is_dst());
        let later = rules
            .preceding(repeating())
            .map(|transition| {
                (transition.abbreviation().to_string(), transition.offset().seconds(), transition.dst().is_dst())
            })
            .chain([first]);
        let mut meanings = later.filter(|(used, ..)| used.eq_ignore_ascii_case(word));
        let (_, seconds, is_dst) = meanings.next()?;
        // One that has had several meanings is looked up by the time that it stands with.
        if meanings.any(|(_, other, other_dst)| (other, other_dst) != (seconds, is_dst)) {
            return Some(ZoneSpec::Abbreviation(self.clone(), word.to_string()));
        }
        Some(ZoneSpec::Fixed(seconds, is_dst))
    }
}

/// A moment after which rules only repeat.
fn repeating() -> jiff::Timestamp {
    jiff::Timestamp::from_second(4_102_444_800).expect("the year 2100 is in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2000-07-01 00:00 UTC.
    const SUMMER: i64 = 15_724_800 * MICROS_PER_SECOND;

    #[test]
    fn zones_are_named_as_postgresql_shows_them() {
        let known = [
            ("+3", "+3", -10_800),
            ("FOO+3", "FOO+3", -10_800),
            ("est5edt", "EST5EDT", -14_400),
            ("europe/berlin", "Europe/Berlin", 7200),
            ("utc", "UTC", 0),
            ("Etc/utc", "Etc/UTC", 0),
            ("EST5EDT,M3.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0", -14_400),
            ("zulu", "Zulu", 0),
            ("<+03>-3", "<+03>-3", 10_800),
            ("7x", "7X", -21_600),
        ];
        for (given, name, seconds) in known {
            let zone = TimeZone::named(given).expect(given);
            assert_eq!((zone.name(), zone.seconds_at(SUMMER)), (name, seconds));
        }
        for unknown in ["", "z", "foo", "Etc/Unknown", "posix/UTC", "localtime"] {
            assert!(TimeZone::named(unknown).is_none(), "{unknown}");
        }
        assert_eq!(TimeZone::fixed(19_980).name(), "<+05:33>-05:33");
        assert_eq!(TimeZone::fixed(-12_600).name(), "<-03:30>+03:30");
    }

    #[test]
    fn local_times_around_a_change_are_read_as_postgresql_reads_them() {
        let zone = TimeZone::named("America/New_York").expect("a zone");
        let local = |days: i64, hour: i64, minute: i64| {
            zone.seconds_at_local(days * 86_400_000_000 + (hour * 60 + minute) * 60_000_000)
        };
        let (spring, autumn) = (8835, 9073);
        assert_eq!(civil_from_days(spring), super::super::Civil { year: 2024, month: 3, day: 10 });
        assert_eq!(local(spring, 2, 30), -18_000, "a time that does not exist is standard time");
        assert_eq!(civil_from_days(autumn), super::super::Civil { year: 2024, month: 11, day: 3 });
        assert_eq!(local(autumn, 1, 30), -18_000, "a time that exists twice is the later");
    }

    #[test]
    fn rules_go_on_beyond_the_year_9999() {
        let zone = TimeZone::named("Europe/Berlin").expect("a zone");
        let july = |year: i64| super::super::days_from_civil(year, 7, 1) * 86_400_000_000;
        assert_eq!(zone.seconds_at(july(2024)), 7200);
        assert_eq!(zone.seconds_at(july(200_024)), 7200);
        assert_eq!(zone.seconds_at_local(july(294_000)), 7200);
    }
}
