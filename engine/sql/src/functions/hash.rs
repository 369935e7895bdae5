//! The hash functions that `pg_proc` has: `hashtext` and its kin.
//!
//! Nothing in the engine hashes with them, but clients do: `pg_advisory_lock(hashtext('job'))`, sharding by
//! `hashint8(id)`. So the numbers are PostgreSQL's: Bob Jenkins's lookup3 (2006), whose final mix yields two words, the
//! second of which is the hash and both of which are the extended one.

use helios_types::{Datum, Interval, Numeric, TimeTz, io};

use super::arguments::{i64_at, text_at};
use super::bytes::without_padding;
use super::strings::value;
use super::{Entry, Implementation};

/// What a hash starts from: the seed's two words are mixed in unless it is zero.
fn start(length: usize, seed: u64) -> [u32; 3] {
    let first = 0x9e37_79b9u32.wrapping_add(length as u32).wrapping_add(3_923_095);
    let mut state = [first; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    state
}

fn mix([a, b, c]: &mut [u32; 3]) {
    macro_rules! step {
        ($x:ident, $y:ident, $z:ident, $by:literal) => {
            *$x = $x.wrapping_sub(*$z) ^ $z.rotate_left($by);
            *$z = $z.wrapping_add(*$y);
        };
    }
    step!(a, b, c, 4);
    step!(b, c, a, 6);
    step!(c, a, b, 8);
    step!(a, b, c, 16);
    step!(b, c, a, 19);
    step!(c, a, b, 4);
}

fn finish([a, b, c]: &mut [u32; 3]) {
    macro_rules! step {
        ($x:ident, $y:ident, $by:literal) => {
            *$x = (*$x ^ *$y).wrapping_sub($y.rotate_left($by));
        };
    }
    step!(c, b, 14);
    step!(a, c, 11);
    step!(b, a, 25);
    step!(c, b, 16);
    step!(a, c, 4);
    step!(b, a, 14);
    step!(c, b, 24);
}

/// Both words of a byte string's hash.
fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut state = start(bytes.len(), seed);
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        for (word, part) in state.iter_mut().zip(chunk.chunks_exact(4)) {
            *word = word.wrapping_add(u32::from_le_bytes(part.try_into().expect("four bytes")));
        }
        mix(&mut state);
    }
    for (place, byte) in chunks.remainder().iter().enumerate() {
        // The last word's lowest byte is kept for the length.
        let shift = if place < 8 { place % 4 * 8 } else { (place % 4 + 1) * 8 };
        state[place / 4] = state[place / 4].wrapping_add(u32::from(*byte) << shift);
    }
    finish(&mut state);
    u64::from(state[1]) << 32 | u64::from(state[2])
}

/// Both words of a 32-bit number's hash.
fn hash_word(word: u32, seed: u64) -> u64 {
    let mut state = start(4, seed);
    state[0] = state[0].wrapping_add(word);
    finish(&mut state);
    u64::from(state[1]) << 32 | u64::from(state[2])
}

/// A 64-bit integer hashes like the 32-bit one that it equals.
fn hash_long(value: i64, seed: u64) -> u64 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    hash_word(low ^ if value >= 0 { high } else { !high }, seed)
}

/// Zeros are alike, and so are NaNs.
fn hash_float(value: f64, seed: u64) -> u64 {
    if value == 0.0 {
        // PostgreSQL answers the seed itself.
        return seed;
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    hash_bytes(&value.to_le_bytes(), seed)
}

fn hash_numeric(value: &Numeric, seed: u64) -> u64 {
    if !value.is_finite() {
        return seed;
    }
    let (digits, weight) = value.base_10000();
    if digits.is_empty() {
        return seed.wrapping_sub(1);
    }
    let bytes: Vec<u8> = digits.iter().flat_map(|digit| digit.to_le_bytes()).collect();
    hash_bytes(&bytes, seed) ^ weight as u64
}

/// Intervals that are equal hash alike: by their length.
fn hash_interval(interval: Interval, seed: u64) -> u64 {
    let days = i64::from(interval.months) * 30 + i64::from(interval.days);
    let micros = i128::from(days) * 86_400_000_000 + i128::from(interval.micros);
    hash_long(micros as i64, seed)
}

fn hash_timetz(value: &TimeTz, seed: u64) -> u64 {
    hash_long(value.micros, seed) ^ hash_word(value.zone as u32, seed)
}

/// A type's two hash functions: 32 bits, and 64 bits with a seed.
macro_rules! hashes {
    ($plain:literal, $extended:literal, |$value:ident: $T:ty, $seed:ident| $hash:expr) => {
        &[
            value!($plain, |_, $value: $T| -> i32 {
                let $seed = 0;
                Ok($hash as u32 as i32)
            }),
            value!($extended, |_, $value: $T, seed: i64| -> i64 {
                let $seed = seed as u64;
                Ok($hash as i64)
            }),
        ]
    };
}

fn timetz_at(args: &[Datum]) -> TimeTz {
    match &args[0] {
        Datum::TimeTz(value) => *value,
        other => super::native::mismatch("TimeTz", other),
    }
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    hashes!("hashtext", "hashtextextended", |bytes: &[u8], seed| hash_bytes(bytes, seed)),
    hashes!("hashname", "hashnameextended", |bytes: &[u8], seed| hash_bytes(bytes, seed)),
    hashes!("hashbytea", "hashbyteaextended", |bytes: &[u8], seed| hash_bytes(bytes, seed)),
    hashes!("hashbpchar", "hashbpcharextended", |bytes: &[u8], seed| hash_bytes(without_padding(bytes), seed)),
    hashes!("hashbool", "hashboolextended", |value: bool, seed| hash_word(u32::from(value), seed)),
    hashes!("hashint2", "hashint2extended", |value: i16, seed| hash_word(i32::from(value) as u32, seed)),
    hashes!("hashint4", "hashint4extended", |value: i32, seed| hash_word(value as u32, seed)),
    hashes!("hashint8", "hashint8extended", |value: i64, seed| hash_long(value, seed)),
    hashes!("hashoid", "hashoidextended", |value: u32, seed| hash_word(value, seed)),
    hashes!("hashfloat4", "hashfloat4extended", |value: f32, seed| hash_float(f64::from(value), seed)),
    hashes!("hashfloat8", "hashfloat8extended", |value: f64, seed| hash_float(value, seed)),
    hashes!("hashdate", "hashdateextended", |value: i32, seed| hash_word(value as u32, seed)),
    hashes!("time_hash", "time_hash_extended", |value: i64, seed| hash_long(value, seed)),
    hashes!("timestamp_hash", "timestamp_hash_extended", |value: i64, seed| hash_long(value, seed)),
    hashes!("timestamptz_hash", "timestamptz_hash_extended", |value: i64, seed| hash_long(value, seed)),
    hashes!("interval_hash", "interval_hash_extended", |value: Interval, seed| hash_interval(value, seed)),
    hashes!("uuid_hash", "uuid_hash_extended", |value: [u8; 16], seed| hash_bytes(&value, seed)),
    hashes!("hash_numeric", "hash_numeric_extended", |value: &Numeric, seed| hash_numeric(value, seed)),
    &[
        (
            "hashchar",
            Implementation::Scalar(|_, args| {
                let byte = io::char_byte(text_at(args, 0)) as i8;
                Ok(Datum::I32(hash_word(i32::from(byte) as u32, 0) as u32 as i32))
            }),
        ),
        (
            "hashcharextended",
            Implementation::Scalar(|_, args| {
                let byte = io::char_byte(text_at(args, 0)) as i8;
                Ok(Datum::I64(hash_word(i32::from(byte) as u32, i64_at(args, 1) as u64) as i64))
            }),
        ),
        (
            "timetz_hash",
            Implementation::Scalar(|_, args| Ok(Datum::I32(hash_timetz(&timetz_at(args), 0) as u32 as i32))),
        ),
        (
            "timetz_hash_extended",
            Implementation::Scalar(|_, args| {
                Ok(Datum::I64(hash_timetz(&timetz_at(args), i64_at(args, 1) as u64) as i64))
            }),
        ),
    ],
];
