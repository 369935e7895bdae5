//! Manifests that are damaged, replaced or forged.
//!
//! The manifest says which files are the tree. Its last edit may be taken for one that was being written when the process
//! died, if nothing was built on it; then the log still has what the edit was about. So either all rows are there, or the
//! open fails. Edits that pass the checksum and are none are refused; those that are some lead to a state that can be
//! written and read back.
#![no_main]

use helios_fuzz::directory::{Attack, ROWS, files, rows_after};
use helios_storage::decoders;
use libfuzzer_sys::fuzz_target;

/// Bytes in front of a record's body; the last four are its length.
const RECORD_HEADER: usize = 64;

fuzz_target!(|attack: Attack| {
    match &attack {
        Attack::Forged { which, damage, key: _ } => {
            let bodies = bodies();
            let mut body = bodies[usize::from(*which) % bodies.len()].clone();
            assert!(decoders::manifest_record(&body), "what the manifest wrote it can read");
            damage.apply(&mut body);
            decoders::manifest_record(&body);
        }
        Attack::Body { body, .. } => {
            decoders::manifest_record(body);
        }
        Attack::Damaged { .. } | Attack::Replaced { .. } => {
            let rows = rows_after("manifest/", &attack).expect("a file was damaged");
            assert!(rows.as_ref().map_or(true, |&rows| rows == ROWS), "{rows:?}");
        }
    }
});

/// The records in the directory's manifest.
fn bodies() -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for (_, manifest) in files().iter().filter(|(path, _)| path.starts_with("manifest/")) {
        for at in (0..manifest.len()).step_by(4096).filter(|&at| manifest[at..].starts_with(b"HMAN")) {
            let len = *manifest[at + RECORD_HEADER - 4..].first_chunk().expect("a header is sixty-four bytes long");
            let body = at + RECORD_HEADER;
            bodies.push(manifest[body..body + u32::from_le_bytes(len) as usize].to_vec());
        }
    }
    bodies
}
