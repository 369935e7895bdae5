//! Bytes of a client, in pieces, to a server's conversation.
//!
//! The first byte of an input says how the rest is meant: whether a valid start-up packet comes first, whether the rest is a
//! list of messages (kind, length in one byte, body) whose lengths are right, or bytes as they are, whether clients
//! must give a password, and at which places the stream is split. No bytes make the server panic, and what it sends is whole
//! messages of kinds that a server sends.
#![no_main]

use helios_fuzz::session::{Watch, database};
use helios_server::{AuthMethod, Conversation, Progress};
use libfuzzer_sys::fuzz_target;

/// The start-up packet of the superuser.
const STARTUP: &[u8] = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
/// Everything that the backend sends: see "Message Formats" in PostgreSQL's manual.
const KINDS: &[u8] = b"RKSZTDCEINGHVWdc123tnsAv";

fuzz_target!(|input: &[u8]| {
    let [how, rest @ ..] = input else { return };
    let (begun, framed, scram) = (how & 1 != 0, how & 2 != 0, how & 12 == 12);
    let mut sent = if begun { STARTUP.to_vec() } else { Vec::new() };
    if framed {
        frame(rest, &mut sent)
    } else {
        sent.extend_from_slice(rest)
    }
    let database = database();
    let auth = if scram { AuthMethod::Scram } else { AuthMethod::Trust };
    let mut conversation = Conversation::new(database.clone(), auth, None);
    let mut received = Vec::new();
    let mut watch = None;
    let env = database.env().clone();
    env.block_on(async {
        // All at once, or by the piece.
        let piece = match how >> 4 {
            0 => sent.len().max(1),
            piece => usize::from(piece * piece),
        };
        for piece in sent.chunks(piece) {
            conversation.inbox().extend_from_slice(piece);
            loop {
                let progress = conversation.advance().await;
                received.extend_from_slice(&conversation.take_output());
                if watch.is_none() {
                    watch = conversation.activity().cloned().map(Watch::over);
                }
                match progress {
                    Progress::Flush => {}
                    Progress::NeedInput => break,
                    Progress::Closed => return,
                }
            }
        }
    });
    check(&received);
});

/// Messages from kind, length and body.
fn frame(mut rest: &[u8], sent: &mut Vec<u8>) {
    while let [kind, len, behind @ ..] = rest {
        let (body, next) = behind.split_at(usize::from(*len).min(behind.len()));
        sent.push(*kind);
        sent.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        sent.extend_from_slice(body);
        rest = next;
    }
}

/// Whole messages, behind the refusals of TLS and GSSAPI, which are a bare N each.
fn check(received: &[u8]) {
    let refusals = received.iter().take_while(|byte| **byte == b'N').count();
    let mut rest = &received[refusals..];
    while let [kind, behind @ ..] = rest {
        assert!(KINDS.contains(kind), "no server sends {kind}");
        let len = u32::from_be_bytes(*behind.first_chunk().expect("a message has a length")) as usize;
        assert!(
            (4..=behind.len()).contains(&len),
            "a {} of {len} bytes where {} are left",
            *kind as char,
            behind.len()
        );
        rest = &behind[len..];
    }
}
