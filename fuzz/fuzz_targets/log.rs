//! Segments of the log that are damaged, replaced or forged.
//!
//! The log may lose what was being written when the process died, so damage at its very end cannot be told from a torn
//! write: then the last rows are missing. But no row is missing before one that is there, none that a file holds, and
//! none is wrong. Bodies of batches that pass the checksum and are none are refused.
#![no_main]

use helios_fuzz::directory::{Attack, FLUSHED, ROWS, files, rows_after};
use helios_storage::decoders;
use libfuzzer_sys::fuzz_target;

/// Bytes in front of a batch's body; its last eight are the number of records and the length of the body.
const BATCH_HEADER: usize = 80;

fuzz_target!(|attack: Attack| {
    match &attack {
        Attack::Forged { which, damage, key: _ } => {
            let bodies = bodies();
            let (records, body) = &bodies[usize::from(*which) % bodies.len()];
            assert!(decoders::log_batch(body, *records), "what the log wrote it can read");
            let mut body = body.clone();
            damage.apply(&mut body);
            decoders::log_batch(&body, *records);
        }
        Attack::Body { kind, body, key } => {
            decoders::log_batch(body, u32::from(*kind));
            decoders::row(key, body);
        }
        Attack::Damaged { .. } | Attack::Replaced { .. } => {
            let rows = rows_after("wal/", &attack).expect("a file was damaged");
            assert!(rows.as_ref().map_or(true, |rows| (FLUSHED..=ROWS).contains(rows)), "{rows:?}");
        }
    }
});

/// The batches in the directory's log.
fn bodies() -> Vec<(u32, Vec<u8>)> {
    let mut bodies = Vec::new();
    for (_, segment) in files().iter().filter(|(path, _)| path.starts_with("wal/")) {
        for at in (0..segment.len()).step_by(512).filter(|&at| segment[at..].starts_with(b"HBAT")) {
            let number = |from: usize| {
                u32::from_le_bytes(*segment[at + from..].first_chunk().expect("a header is eighty bytes long"))
            };
            let (records, len) = (number(72), number(76) as usize);
            bodies.push((records, segment[at + BATCH_HEADER..at + BATCH_HEADER + len].to_vec()));
        }
    }
    bodies
}
