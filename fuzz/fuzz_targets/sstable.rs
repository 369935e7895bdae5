//! SSTables that are damaged, replaced or forged.
//!
//! A read that meets damage fails and names the file; everything else is right, and nothing is missing. Blocks that pass the
//! checksum and are none are refused, whoever walks or searches them.
#![no_main]

use helios_fuzz::directory::{Attack, ROWS, files, rows_after};
use helios_storage::{Error, decoders};
use libfuzzer_sys::fuzz_target;

/// Bytes in front of a block's payload: its checksum, its kind at 8, the length of the payload at 16.
const FRAME: usize = 24;
const KINDS: std::ops::RangeInclusive<u8> = 1..=4;

fuzz_target!(|attack: Attack| {
    match &attack {
        Attack::Forged { which, damage, key } => {
            let blocks = blocks();
            let (kind, payload) = &blocks[usize::from(*which) % blocks.len()];
            assert!(is_block(*kind, payload, key), "what a table holds can be read");
            let mut payload = payload.clone();
            damage.apply(&mut payload);
            is_block(*kind, &payload, key);
        }
        Attack::Body { kind, body, key } => {
            is_block(*kind, body, key);
        }
        Attack::Damaged { .. } | Attack::Replaced { .. } => {
            match rows_after("sst/", &attack).expect("a file was damaged") {
                Ok(rows) => assert_eq!(rows, ROWS),
                Err(Error::Corruption { file, .. } | Error::UnsupportedFormat { file, .. }) => {
                    assert!(file.starts_with("sst/"), "{file} is blamed");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
});

fn is_block(kind: u8, payload: &[u8], key: &[u8]) -> bool {
    match kind % 4 {
        1 => decoders::data_block(payload, key),
        2 => decoders::index_block(payload, false, key),
        3 => decoders::filter_block(payload, key),
        _ => decoders::index_block(payload, true, key),
    }
}

/// The blocks in the directory's tables, but for the properties.
fn blocks() -> Vec<(u8, Vec<u8>)> {
    let mut blocks = Vec::new();
    for (_, table) in files().iter().filter(|(path, _)| path.starts_with("sst/")) {
        let mut at = 0;
        while KINDS.contains(&table[at + 8]) {
            let len = *table[at + 16..].first_chunk().expect("a frame is twenty-four bytes long");
            let end = at + FRAME + u32::from_le_bytes(len) as usize;
            blocks.push((table[at + 8], table[at + FRAME..end].to_vec()));
            at = end;
        }
    }
    blocks
}
