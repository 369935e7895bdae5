//! `to_char` and `to_number` of numbers.
//!
//! A picture like `FM999G990D99S` is first described ([`Picture`]): how many places before and behind the point, where
//! zeros are shown, where the sign goes. A number is then brought to text with that many places and walked through
//! together with the picture, place by place.

use std::sync::Arc;

use helios_types::{Datum, Numeric, PgError, Result, SqlState};

use super::{Node, ordinal, split};
use crate::functions::arguments::{f32_at, f64_at, i32_at, i64_at, numeric_at, text_at};
use crate::functions::{CallCache, Entry, FunctionContext, Implementation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Comma,
    Point,
    LocalePoint,
    Group,
    Zero,
    Nine,
    Blank,
    Ignored,
    Exponent,
    Fill,
    Currency,
    Minus,
    Plus,
    Bracket,
    Roman { lower: bool },
    Sign,
    EitherSign,
    Ordinal { upper: bool },
    Shift,
}

const PATTERNS: &[(&str, Item)] = &[
    (",", Item::Comma),
    (".", Item::Point),
    ("0", Item::Zero),
    ("9", Item::Nine),
    ("B", Item::Blank),
    ("C", Item::Ignored),
    ("D", Item::LocalePoint),
    ("EEEE", Item::Exponent),
    ("FM", Item::Fill),
    ("G", Item::Group),
    ("L", Item::Currency),
    ("MI", Item::Minus),
    ("PL", Item::Plus),
    ("PR", Item::Bracket),
    ("RN", Item::Roman { lower: false }),
    ("SG", Item::EitherSign),
    ("SP", Item::Ignored),
    ("S", Item::Sign),
    ("TH", Item::Ordinal { upper: true }),
    ("V", Item::Shift),
    ("b", Item::Blank),
    ("c", Item::Ignored),
    ("d", Item::LocalePoint),
    ("eeee", Item::Exponent),
    ("fm", Item::Fill),
    ("g", Item::Group),
    ("l", Item::Currency),
    ("mi", Item::Minus),
    ("pl", Item::Plus),
    ("pr", Item::Bracket),
    ("rn", Item::Roman { lower: true }),
    ("sg", Item::EitherSign),
    ("sp", Item::Ignored),
    ("s", Item::Sign),
    ("th", Item::Ordinal { upper: false }),
    ("v", Item::Shift),
];

/// Where an S sign goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignPlace {
    None,
    Before,
    Behind,
}

/// What a template says about a number.
#[derive(Clone, Debug)]
struct Picture {
    nodes: Vec<Node<Item>>,
    /// Places before the point.
    before: usize,
    /// Places behind it.
    behind: usize,
    /// Places that V shifts by.
    shift: usize,
    /// From which place on zeros are shown, counted from 1; 0 for none.
    zero_start: usize,
    /// The last place with a 0.
    zero_end: usize,
    sign_place: SignPlace,
    /// Places before the point when S was seen.
    before_sign: usize,
    decimal: bool,
    fill: bool,
    zero: bool,
    sign: bool,
    bracket: bool,
    minus: bool,
    plus: bool,
    roman: bool,
    multiply: bool,
    exponent: bool,
    blank: bool,
}

#[cold]
fn malformed(message: &'static str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

impl Picture {
    fn parse(template: &str) -> Result<Picture> {
        let mut picture = Picture {
            nodes: Vec::new(),
            before: 0,
            behind: 0,
            shift: 0,
            zero_start: 0,
            zero_end: 0,
            sign_place: SignPlace::None,
            before_sign: 0,
            decimal: false,
            fill: false,
            zero: false,
            sign: false,
            bracket: false,
            minus: false,
            plus: false,
            roman: false,
            multiply: false,
            exponent: false,
            blank: false,
        };
        let nodes = split(template, |text| {
            let found = PATTERNS.iter().find(|(name, _)| text.starts_with(name));
            if let Some((_, item)) = found {
                picture.add(*item)?;
            }
            Ok::<_, PgError>(found.map_or((None, 0), |(name, item)| (Some(*item), name.len())))
        })?;
        picture.nodes = nodes;
        Ok(picture)
    }

    fn add(&mut self, item: Item) -> Result<()> {
        if self.exponent && item != Item::Exponent {
            return Err(malformed("\"EEEE\" must be the last pattern used"));
        }
        match item {
            Item::Nine => {
                if self.bracket {
                    return Err(malformed("\"9\" must be ahead of \"PR\""));
                }
                if self.multiply {
                    self.shift += 1;
                } else if self.decimal {
                    self.behind += 1;
                } else {
                    self.before += 1;
                }
            }
            Item::Zero => {
                if self.bracket {
                    return Err(malformed("\"0\" must be ahead of \"PR\""));
                }
                if !self.zero && !self.decimal {
                    self.zero = true;
                    self.zero_start = self.before + 1;
                }
                if self.decimal {
                    self.behind += 1;
                } else {
                    self.before += 1;
                }
                self.zero_end = self.before + self.behind;
            }
            Item::Blank => self.blank |= self.before == 0 && self.behind == 0 && !self.zero,
            Item::Point | Item::LocalePoint => {
                if self.decimal {
                    return Err(malformed("multiple decimal points"));
                }
                if self.multiply {
                    return Err(malformed("cannot use \"V\" and decimal point together"));
                }
                self.decimal = true;
            }
            Item::Fill => self.fill = true,
            Item::Sign => {
                if self.sign {
                    return Err(malformed("cannot use \"S\" twice"));
                }
                if self.plus || self.minus || self.bracket {
                    return Err(malformed("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
                }
                self.sign = true;
                if !self.decimal {
                    self.sign_place = SignPlace::Before;
                    self.before_sign = self.before;
                } else if self.sign_place == SignPlace::None {
                    self.sign_place = SignPlace::Behind;
                }
            }
            Item::Minus => {
                if self.sign {
                    return Err(malformed("cannot use \"S\" and \"MI\" together"));
                }
                self.minus = true;
            }
            Item::Plus => {
                if self.sign {
                    return Err(malformed("cannot use \"S\" and \"PL\" together"));
                }
                self.plus = true;
            }
            Item::EitherSign => {
                if self.sign {
                    return Err(malformed("cannot use \"S\" and \"SG\" together"));
                }
                (self.minus, self.plus) = (true, true);
            }
            Item::Bracket => {
                if self.sign || self.plus || self.minus {
                    return Err(malformed("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
                }
                self.bracket = true;
            }
            Item::Roman { .. } => {
                if self.roman {
                    return Err(malformed("cannot use \"RN\" twice"));
                }
                self.roman = true;
            }
            Item::Shift => {
                if self.decimal {
                    return Err(malformed("cannot use \"V\" and decimal point together"));
                }
                self.multiply = true;
            }
            Item::Exponent => {
                if self.exponent {
                    return Err(malformed("cannot use \"EEEE\" twice"));
                }
                let others = self.blank
                    || self.fill
                    || self.sign
                    || self.bracket
                    || self.minus
                    || self.plus
                    || self.roman
                    || self.multiply;
                if others {
                    return Err(malformed("\"EEEE\" is incompatible with other formats")
                        .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                }
                self.exponent = true;
            }
            Item::Comma | Item::Group | Item::Ignored | Item::Currency | Item::Ordinal { .. } => {}
        }
        let beside_roman = self.blank
            || self.decimal
            || self.zero
            || self.sign
            || self.bracket
            || self.minus
            || self.plus
            || self.multiply
            || self.exponent;
        if self.roman && beside_roman {
            return Err(malformed("\"RN\" is incompatible with other formats")
                .with_detail("\"RN\" may only be used together with \"FM\"."));
        }
        Ok(())
    }
}

fn compiled(cache: &CallCache, template: &str) -> Result<Arc<Picture>> {
    cache.get_or_make(template, || Picture::parse(template))
}

/// A number brought to text with the picture's places.
struct Places {
    /// Digits and a point; no sign.
    digits: Vec<u8>,
    negative: bool,
    /// Places before the point that the number does not fill.
    spaces: usize,
}

impl Places {
    /// From decimal text with the right number of places behind the point.
    fn new(picture: &Picture, text: &str, before: usize) -> Places {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let length = text.find('.').unwrap_or(text.len());
        if length > before {
            // Too large: a field of hashes.
            let mut digits = vec![b'#'; before + picture.behind + 1];
            digits[before] = b'.';
            return Places { digits, negative, spaces: 0 };
        }
        Places { digits: text.as_bytes().to_vec(), negative, spaces: before - length }
    }
}

/// Walks a picture and a number together.
struct Writer<'a> {
    picture: &'a Picture,
    places: &'a Places,
    before: usize,
    zero_start: usize,
    sign_place: SignPlace,
    bracket: bool,
    sign_written: bool,
    /// The digit that comes next.
    next: usize,
    /// The last digit behind the point that FM keeps (the point itself when none is).
    last_relevant: Option<usize>,
    /// Places walked.
    walked: usize,
    count: usize,
    /// A digit has been written.
    inside: bool,
    out: String,
}

impl Writer<'_> {
    fn digit(&self, index: usize) -> u8 {
        self.places.digits.get(index).copied().unwrap_or(0)
    }

    /// A leading zero before a point is blank.
    fn blank_zero(&self) -> bool {
        !self.picture.zero && self.next == 0 && self.digit(0) == b'0' && self.picture.behind != 0
    }

    fn last_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.digit(last) == b'.')
    }

    fn place(&mut self, zero_pattern: bool) {
        if self.picture.roman {
            return;
        }
        let (picture, spaces) = (self.picture, self.places.spaces);
        self.inside = false;
        let number_begins = self.walked >= spaces || (picture.zero && self.zero_start == self.walked);
        if !self.sign_written && number_begins && (!self.blank_zero() || self.last_is_point()) {
            if picture.sign {
                if self.sign_place == SignPlace::Before {
                    self.out.push(if self.places.negative { '-' } else { '+' });
                    self.sign_written = true;
                }
            } else if self.bracket {
                self.out.push(if self.places.negative { '<' } else { ' ' });
                self.sign_written = true;
            } else {
                if self.places.negative {
                    self.out.push('-');
                } else if !picture.fill {
                    self.out.push(' ');
                }
                self.sign_written = true;
            }
        }
        let zeros = picture.zero && self.zero_start <= self.walked;
        if self.walked < spaces && !zeros {
            if !picture.fill {
                self.out.push(' ');
            }
        } else if self.walked < spaces {
            self.out.push('0');
            self.inside = true;
        } else {
            if self.digit(self.next) == b'.' {
                if !self.last_is_point() || picture.fill {
                    self.out.push('.');
                }
            } else if self.last_relevant.is_some_and(|last| self.next > last) && !zero_pattern {
                // A trailing zero that FM leaves out.
            } else if self.blank_zero() {
                if !picture.fill {
                    self.out.push(' ');
                } else if self.last_is_point() {
                    self.out.push('0');
                }
            } else {
                // Behind the last digit stands the zero byte that ends C's strings, and so the result.
                self.out.push(char::from(self.digit(self.next)));
                self.inside = true;
            }
            if self.next < self.places.digits.len() {
                self.next += 1;
            }
        }
        let mut end = self.count + usize::from(spaces > 0) + usize::from(picture.decimal);
        if self.last_relevant == Some(self.next) {
            end = self.walked;
        }
        if self.walked + 1 == end {
            if self.sign_written && self.bracket {
                self.out.push(if self.places.negative { '>' } else { ' ' });
            } else if picture.sign && self.sign_place == SignPlace::Behind {
                self.out.push(if self.places.negative { '-' } else { '+' });
            }
        }
        self.walked += 1;
    }

    fn separator(&mut self) {
        if self.inside {
            self.out.push(',');
        } else if !self.picture.fill {
            self.out.push(' ');
        }
    }

    fn node(&mut self, item: Item) -> Result<()> {
        let negative = self.places.negative;
        match item {
            Item::Nine | Item::LocalePoint | Item::Point => self.place(false),
            Item::Zero => self.place(true),
            Item::Comma | Item::Group => self.separator(),
            Item::Currency => self.out.push(' '),
            Item::Roman { lower } => {
                let text = String::from_utf8_lossy(&self.places.digits).into_owned();
                let text = if lower { text.to_ascii_lowercase() } else { text };
                if self.picture.fill {
                    self.out.push_str(&text);
                } else {
                    self.out.push_str(&format!("{text:>15}"));
                }
            }
            Item::Ordinal { upper } => {
                if !self.picture.roman && self.digit(0) != b'#' && !negative && !self.picture.decimal {
                    let digits = String::from_utf8_lossy(&self.places.digits).into_owned();
                    if !digits.ends_with(|char: char| char.is_ascii_digit()) {
                        return Err(PgError::new(
                            SqlState::INVALID_TEXT_REPRESENTATION,
                            format!("\"{digits}\" is not a number"),
                        ));
                    }
                    self.out.push_str(ordinal(&digits, upper));
                }
            }
            Item::Minus => match (negative, self.picture.fill) {
                (true, _) => self.out.push('-'),
                (false, true) => {}
                (false, false) => self.out.push(' '),
            },
            Item::Plus => match (negative, self.picture.fill) {
                (false, _) => self.out.push('+'),
                (true, true) => {}
                (true, false) => self.out.push(' '),
            },
            Item::EitherSign => self.out.push(if negative { '-' } else { '+' }),
            Item::Blank | Item::Ignored | Item::Exponent | Item::Fill | Item::Sign | Item::Shift | Item::Bracket => {}
        }
        Ok(())
    }
}

/// Writes a number's places into the picture; `before` counts its places before the point, shifted ones included.
fn write(picture: &Picture, places: &Places, before: usize, behind: usize) -> Result<String> {
    let mut writer = Writer {
        picture,
        places,
        before,
        zero_start: picture.zero_start.saturating_sub(1),
        sign_place: picture.sign_place,
        bracket: picture.bracket,
        sign_written: true,
        next: 0,
        last_relevant: None,
        walked: 0,
        count: (behind + before).wrapping_sub(1),
        inside: false,
        out: String::new(),
    };
    if picture.plus || picture.minus {
        writer.sign_written = !picture.plus || picture.minus;
    } else {
        if !places.negative && picture.fill {
            writer.bracket = false;
        }
        writer.sign_written = !places.negative && picture.fill && !picture.sign;
        if writer.sign_place == SignPlace::Before && writer.before == picture.before_sign {
            writer.sign_place = SignPlace::Behind;
        }
    }
    if picture.fill && picture.decimal {
        writer.last_relevant = places.digits.iter().position(|digit| *digit == b'.').map(|point| {
            let kept = places.digits[point + 1..].iter().rposition(|digit| *digit != b'0');
            kept.map_or(point, |place| point + 1 + place)
        });
        if let Some(last) = writer.last_relevant
            && picture.zero_end > places.spaces
        {
            let zeros = (places.digits.len() - 1).min(picture.zero_end - places.spaces);
            writer.last_relevant = Some(last.max(zeros));
        }
    }
    if !writer.sign_written && places.spaces == 0 {
        writer.count = writer.count.wrapping_add(1);
    }
    for node in &picture.nodes {
        match node {
            Node::Pattern(item) => writer.node(*item)?,
            Node::Literal(literal) => writer.out.push(literal.char()),
        }
    }
    if let Some(end) = writer.out.find('\0') {
        writer.out.truncate(end);
    }
    Ok(writer.out)
}

/// Roman numerals of 1 to 3999; a field of hashes for all others.
fn roman(value: i64) -> String {
    if !(1..=3999).contains(&value) {
        return "#".repeat(15);
    }
    const DIGITS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut rest = value;
    let mut out = String::new();
    for (digit, name) in DIGITS {
        while rest >= digit {
            out.push_str(name);
            rest -= digit;
        }
    }
    out
}

fn write_roman(picture: &Picture, value: Option<i64>) -> Result<String> {
    let digits = roman(value.unwrap_or(i64::MAX)).into_bytes();
    write(picture, &Places { digits, negative: false, spaces: 0 }, picture.before, picture.behind)
}

/// The field of hashes that stands for a number without digits in scientific notation.
fn hashes(picture: &Picture) -> String {
    let mut field = vec![b'#'; picture.before + picture.behind + 6];
    field[0] = b' ';
    if let Some(point) = field.get_mut(picture.before + 1) {
        *point = b'.';
    }
    String::from_utf8(field).expect("ASCII")
}

/// `d.dde+xx` of a finite numeric.
fn scientific(value: &Numeric, behind: usize) -> Result<String> {
    let mut exponent = 0i32;
    let mut text = String::new();
    if value.is_zero() {
        text.push_str(&format!("{:.behind$}", 0.0));
    } else {
        // The exponent of the leading digit, from the plain decimal text.
        let plain = value.abs().to_string();
        let point = plain.find('.').unwrap_or(plain.len());
        let leading = plain.find(|char: char| char.is_ascii_digit() && char != '0').unwrap_or(0);
        exponent = if leading < point { point as i32 - leading as i32 - 1 } else { point as i32 - leading as i32 };
        let shifted = |exponent: i32| -> Result<Numeric> {
            let digits = Numeric::from(10i32);
            let power = digits.power(&Numeric::from(exponent.abs()))?;
            let exact = value.abs().round(16_383.min(i32::from(value.scale()) + exponent.abs() + behind as i32))?;
            if exponent >= 0 {
                // Division by a power of ten, with enough places to be exact.
                exact.multiply(&Numeric::parse(&format!("1e-{exponent}"))?)?.round(behind as i32)
            } else {
                exact.multiply(&power)?.round(behind as i32)
            }
        };
        // Rounding may carry into another digit: 999.995 is 10.00e+02.
        text.push_str(&shifted(exponent)?.to_string());
    }
    let sign = if value.is_negative() { "-" } else { "" };
    Ok(format!("{sign}{text}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()))
}

/// C's `%+.*e` with a blank for plus.
fn scientific_float(value: f64, behind: usize) -> String {
    let text = format!("{:.behind$e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').expect("scientific notation");
    let exponent: i32 = exponent.parse().expect("an exponent");
    let sign = if value.is_sign_negative() { '-' } else { ' ' };
    format!("{sign}{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn numeric_to_char(picture: &Picture, value: &Numeric) -> Result<String> {
    if picture.roman {
        return write_roman(picture, value.to_i32().ok().map(i64::from));
    }
    if picture.exponent {
        if !value.is_finite() {
            return Ok(hashes(picture));
        }
        let text = scientific(value, picture.behind)?;
        return Ok(if text.starts_with('-') { text } else { format!(" {text}") });
    }
    let mut value = value.clone();
    if picture.multiply {
        value = value.multiply(&Numeric::parse(&format!("1e{}", picture.shift))?)?;
    }
    let before = picture.before + picture.shift;
    let text = value.round(picture.behind as i32)?.to_string();
    write(picture, &Places::new(picture, &text, before), before, picture.behind)
}

/// What V makes of an integer.
type Shift = fn(i64, u32) -> Result<i64>;

/// int4 is multiplied as C multiplies it, without looking.
const SHIFT_INT4: Shift = |value, places| Ok(i64::from((value as i32).wrapping_mul(10f64.powi(places as i32) as i32)));

const SHIFT_INT8: Shift = |value, places| {
    let factor = 10i64.checked_pow(places);
    factor
        .and_then(|factor| value.checked_mul(factor))
        .ok_or_else(|| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
};

fn integer_to_char(picture: &Picture, value: i64, shift: Shift) -> Result<String> {
    if picture.roman {
        return write_roman(picture, Some(value));
    }
    if picture.exponent {
        let text = scientific(&Numeric::from(value), picture.behind)?;
        return Ok(if text.starts_with('-') { text } else { format!(" {text}") });
    }
    let before = picture.before + picture.shift;
    let value = if picture.multiply { shift(value, picture.shift as u32)? } else { value };
    let mut text = value.to_string();
    if picture.behind > 0 {
        text.push('.');
        text.extend(std::iter::repeat_n('0', picture.behind));
    }
    write(picture, &Places::new(picture, &text, before), before, picture.behind)
}

/// `digits`: how many decimal digits the float type is good for.
fn float_to_char(picture: &Picture, value: f64, digits: usize) -> Result<String> {
    if picture.roman {
        let rounded = value.round_ties_even();
        return write_roman(picture, (rounded.abs() < 2_147_483_648.0).then_some(rounded as i64));
    }
    if picture.exponent {
        return Ok(if value.is_finite() { scientific_float(value, picture.behind) } else { hashes(picture) });
    }
    let value = if picture.multiply { value * 10f64.powi(picture.shift as i32) } else { value };
    let before = picture.before + picture.shift;
    let shown = |behind: usize| {
        if value.is_nan() {
            "NaN".to_owned()
        } else if value.is_infinite() {
            if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
        } else {
            format!("{value:.behind$}")
        }
    };
    let whole =
        if value.is_finite() { format!("{:.0}", value.abs()).len() } else { shown(0).trim_start_matches('-').len() };
    let behind = if whole >= digits { 0 } else { picture.behind.min(digits - whole) };
    let text = shown(behind);
    let mut adjusted = picture.clone();
    adjusted.behind = behind;
    write(&adjusted, &Places::new(&adjusted, &text, before), before, behind)
}

/// Reads the digits that a picture finds in a text.
struct Reader<'a> {
    picture: &'a Picture,
    text: &'a [u8],
    at: usize,
    sign: u8,
    digits: Vec<u8>,
    before: usize,
    behind: usize,
    decimal: bool,
}

impl Reader<'_> {
    fn ended(&self) -> bool {
        self.at >= self.text.len()
    }

    fn here(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn place(&mut self, point: bool) {
        if self.ended() {
            return;
        }
        if self.here() == b' ' {
            self.at += 1;
        }
        if self.ended() {
            return;
        }
        let picture = self.picture;
        // A sign before the number.
        if self.sign == b' ' && !point && self.before + self.behind == 0 {
            let byte = self.here();
            if picture.sign && picture.sign_place == SignPlace::Before {
                if byte == b'-' || byte == b'+' {
                    self.sign = byte;
                    self.at += 1;
                }
            } else if byte == b'-' || (picture.bracket && byte == b'<') {
                self.sign = b'-';
                self.at += 1;
            } else if byte == b'+' {
                self.sign = b'+';
                self.at += 1;
            }
        }
        if self.ended() {
            return;
        }
        let mut read = false;
        let byte = self.here();
        if byte.is_ascii_digit() {
            if self.decimal && self.behind == picture.behind {
                return;
            }
            self.digits.push(byte);
            if self.decimal {
                self.behind += 1;
            } else {
                self.before += 1;
            }
            read = true;
        } else if picture.decimal && !self.decimal && byte == b'.' {
            self.digits.push(b'.');
            self.decimal = true;
            read = true;
        }
        // A sign behind it.
        if self.sign == b' ' && self.before + self.behind > 0 {
            if picture.sign && read && self.at + 1 < self.text.len() && !self.text[self.at + 1].is_ascii_digit() {
                let behind = self.text[self.at + 1];
                if behind == b'-' || behind == b'+' {
                    self.sign = behind;
                    self.at += 1;
                }
            } else if !read && !picture.sign && (byte == b'-' || byte == b'+') {
                self.sign = byte;
            }
        }
    }

    /// Skips characters that are no data.
    fn eat(&mut self, count: usize) {
        for _ in 0..count {
            if self.ended() || b"0123456789.,+-".contains(&self.here()) {
                return;
            }
            self.at += utf8_length(self.here());
        }
    }

    fn node(&mut self, node: &Node<Item>) {
        let item = match node {
            Node::Pattern(item) => *item,
            Node::Literal(_) => {
                self.at += utf8_length(self.here());
                return;
            }
        };
        match item {
            Item::Nine | Item::Zero => self.place(false),
            Item::Point | Item::LocalePoint => self.place(true),
            Item::Comma | Item::Group => {
                if (self.picture.fill && self.digits.is_empty()) || self.here() != b',' {
                    return;
                }
            }
            Item::Currency => return self.eat(1),
            Item::Ordinal { .. } => {
                if !self.picture.roman && self.sign != b'-' && !self.picture.decimal {
                    self.eat(2);
                }
                return;
            }
            Item::Minus if self.here() == b'-' => self.sign = b'-',
            Item::Plus if self.here() == b'+' => self.sign = b'+',
            Item::EitherSign if matches!(self.here(), b'-' | b'+') => self.sign = self.here(),
            Item::Minus | Item::Plus | Item::EitherSign => return self.eat(1),
            _ => return,
        }
        self.at += 1;
    }
}

fn utf8_length(first: u8) -> usize {
    match first {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

/// The number of a Roman numeral.
fn from_roman(text: &str) -> Result<Numeric> {
    let invalid = || PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid Roman numeral");
    let text = text.trim_start_matches(|char: char| char.is_ascii_whitespace());
    let end = text.find(|char: char| !"MDCLXVImdclxvi".contains(char)).unwrap_or(text.len());
    let wanted = text[..end].to_ascii_uppercase();
    if wanted.is_empty() {
        return Err(invalid());
    }
    // Only the canonical numeral of a number is one.
    (1..=3999).find(|value| roman(*value) == wanted).map(Numeric::from).ok_or_else(invalid)
}

fn to_number(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, template) = (text_at(args, 0), text_at(args, 1));
    if template.is_empty() {
        return Ok(Datum::Null);
    }
    let picture = compiled(ctx.cache, template)?;
    if picture.exponent {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if picture.roman {
        return from_roman(text).map(Datum::Numeric);
    }
    let mut reader = Reader {
        picture: &picture,
        text: text.as_bytes(),
        at: 0,
        sign: b' ',
        digits: Vec::new(),
        before: 0,
        behind: 0,
        decimal: false,
    };
    for node in &picture.nodes {
        if reader.ended() {
            break;
        }
        reader.node(node);
    }
    if reader.digits.last() == Some(&b'.') {
        reader.digits.pop();
    }
    let number = format!("{}{}", char::from(reader.sign), String::from_utf8_lossy(&reader.digits));
    let (precision, scale) = (picture.before + picture.shift + reader.behind, reader.behind);
    let typmod = ((precision as i32) << 16 | scale as i32) + 4;
    let parsed = Numeric::parse(&number)?.apply_typmod(typmod)?;
    if picture.multiply {
        let unit = Numeric::from(10i32).power(&Numeric::from(-(picture.shift as i32)))?;
        return parsed.multiply(&unit).map(Datum::Numeric);
    }
    Ok(Datum::Numeric(parsed))
}

/// An entry of `to_char`.
macro_rules! to_char {
    ($name:literal, |$picture:ident, $args:ident| $body:expr) => {
        (
            $name,
            Implementation::Scalar(|ctx, $args| {
                let template = text_at($args, 1);
                if template.is_empty() {
                    return Ok(Datum::text(""));
                }
                let $picture = &*compiled(ctx.cache, template)?;
                $body.map(Datum::text)
            }),
        )
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[Entry] = &[
    to_char!("numeric_to_char", |picture, args| numeric_to_char(picture, numeric_at(args, 0))),
    to_char!("int4_to_char", |picture, args| integer_to_char(picture, i64::from(i32_at(args, 0)), SHIFT_INT4)),
    to_char!("int8_to_char", |picture, args| integer_to_char(picture, i64_at(args, 0), SHIFT_INT8)),
    to_char!("float4_to_char", |picture, args| float_to_char(picture, f64::from(f32_at(args, 0)), 6)),
    to_char!("float8_to_char", |picture, args| float_to_char(picture, f64_at(args, 0), 15)),
    ("numeric_to_number", Implementation::Scalar(to_number)),
];
