//! Checks of files: opening, reading, writing, lengths, and what happens to buffers.

use std::sync::Arc;
use std::time::Duration;

use super::{Checked, contents, create, ensure, ensure_eq, ensure_fails, pattern, read, write};
use crate::{ALIGNMENT, Buf, Env, File, OpenOptions, SyncMode, read_full, write_full, write_full_and_sync};

pub(super) async fn open_missing(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/absent");
    let result = env.disk.open(&path, OpenOptions::read()).await;
    ensure!(
        result.as_ref().err().and_then(|error| error.path()) == Some(&*path),
        "the error does not name the path {path}"
    );
    ensure_fails!(result, NotFound);
    let write = OpenOptions { write: true, ..OpenOptions::read() };
    ensure_fails!(env.disk.open(&path, write).await, NotFound);
    ensure_fails!(env.disk.open(&format!("{dir}/absent/file"), OpenOptions::create_new()).await, NotFound);
    ensure_eq!(env.disk.list(dir).await?, Vec::<String>::new());
    Ok(())
}

pub(super) async fn create_new(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let file = create(env, &path).await?;
    ensure_eq!(file.len().await?, 0);
    write(&*file, 0, b"first").await?;
    ensure_fails!(env.disk.open(&path, OpenOptions::create_new()).await, AlreadyExists);
    ensure_fails!(env.disk.open(&path, OpenOptions::create_new().direct(true)).await, AlreadyExists);
    ensure_fails!(env.disk.open(dir, OpenOptions::create_new()).await, AlreadyExists);
    ensure_eq!(contents(env, &path).await?, b"first");
    // `create_new` implies `create`.
    let only_new = OpenOptions { write: true, create_new: true, ..OpenOptions::default() };
    env.disk.open(&format!("{dir}/other"), only_new).await?;
    Ok(())
}

pub(super) async fn create_if_absent(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
    let file = env.disk.open(&path, options).await?;
    write(&*file, 0, b"kept").await?;
    let again = env.disk.open(&path, options).await?;
    ensure_eq!(again.len().await?, 4);
    ensure_eq!(contents(env, &path).await?, b"kept");
    Ok(())
}

pub(super) async fn open_what_is_no_file(env: &Env, dir: &str) -> Checked {
    let write = OpenOptions { write: true, ..OpenOptions::read() };
    let creating = OpenOptions { create: true, ..write };
    for options in [OpenOptions::read(), write, creating, OpenOptions::read().direct(true)] {
        ensure_fails!(env.disk.open(dir, options).await, Directory);
    }
    create(env, &format!("{dir}/file")).await?;
    ensure_fails!(env.disk.open(&format!("{dir}/file/below"), OpenOptions::read()).await, Directory);
    ensure_fails!(env.disk.open(&format!("{dir}/file/below"), creating).await, Directory);
    Ok(())
}

pub(super) async fn paths_that_leave(env: &Env, dir: &str) -> Checked {
    for bad in ["", "..", "/tmp", "a//b", "a/", "./a", "a/../b", "nul\0"] {
        ensure_fails!(env.disk.open(bad, OpenOptions::read()).await, Invalid);
        ensure_fails!(env.disk.remove(bad).await, Invalid);
        ensure_fails!(env.disk.remove_dir(bad).await, Invalid);
        ensure_fails!(env.disk.lock(bad).await, Invalid);
        ensure_fails!(env.disk.rename(bad, &format!("{dir}/to")).await, Invalid);
        ensure_fails!(env.disk.rename(&format!("{dir}/from"), bad).await, Invalid);
        if !bad.is_empty() {
            ensure_fails!(env.disk.list(bad).await, Invalid);
            ensure_fails!(env.disk.create_dir(bad).await, Invalid);
            ensure_fails!(env.disk.sync_dir(bad).await, Invalid);
        }
    }
    Ok(())
}

pub(super) async fn read_at_the_end(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    ensure_eq!(file.read_at(0, Buf::zeroed(10)).await.result, Ok(0));
    write(&*file, 0, b"0123456789").await?;
    ensure_eq!(read(&*file, 4, 100).await?, b"456789");
    ensure_eq!(file.read_at(10, Buf::zeroed(10)).await.result, Ok(0));
    ensure_eq!(file.read_at(1 << 40, Buf::zeroed(10)).await.result, Ok(0));
    // What is not read leaves the buffer as it was, and as long.
    let io = read_full(&*file, 7, Buf::from(&b"abcdef"[..])).await;
    ensure_eq!(io.result, Ok(3));
    ensure_eq!(&*io.buf, b"789def");
    Ok(())
}

pub(super) async fn write_extends_with_zeros(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    write(&*file, 0, b"ab").await?;
    write(&*file, 100_000, b"yz").await?;
    ensure_eq!(file.len().await?, 100_002);
    let bytes = read(&*file, 0, 200_000).await?;
    ensure_eq!(bytes.len(), 100_002);
    ensure!(bytes.starts_with(b"ab") && bytes.ends_with(b"yz"), "the written bytes are not there");
    ensure!(bytes[2..100_000].iter().all(|byte| *byte == 0), "the gap is not zero");
    Ok(())
}

pub(super) async fn overwrite(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    let mut expected = pattern(1, 20_000);
    write(&*file, 0, &expected).await?;
    for (offset, len) in [(0, 1), (4095, 2), (4096, 4096), (19_999, 1), (5_000, 10_000)] {
        let bytes = pattern(offset as u64, len);
        expected[offset..offset + len].copy_from_slice(&bytes);
        write(&*file, offset as u64, &bytes).await?;
    }
    ensure_eq!(file.len().await?, 20_000);
    ensure!(read(&*file, 0, 20_000).await? == expected, "the file differs from what was written");
    Ok(())
}

pub(super) async fn read_only(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let file = create(env, &path).await?;
    write(&*file, 0, b"bytes").await?;
    let file = env.disk.open(&path, OpenOptions::read()).await?;
    let io = file.write_at(0, Buf::from(&b"other"[..])).await;
    ensure_eq!(&*io.buf, b"other");
    ensure_fails!(io.result, PermissionDenied);
    ensure_fails!(file.write_at_and_sync(0, Buf::from(&b"other"[..])).await.result, PermissionDenied);
    ensure_fails!(file.truncate(1).await, PermissionDenied);
    ensure_fails!(file.allocate(100).await, PermissionDenied);
    ensure_eq!(contents(env, &path).await?, b"bytes");
    Ok(())
}

pub(super) async fn truncate(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    write(&*file, 0, &[7; 10_000]).await?;
    file.truncate(5_000).await?;
    ensure_eq!(file.len().await?, 5_000);
    ensure_eq!(read(&*file, 4_990, 100).await?, [7; 10]);
    file.truncate(12_000).await?;
    ensure_eq!(file.len().await?, 12_000);
    let tail = read(&*file, 5_000, 10_000).await?;
    ensure_eq!(tail.len(), 7_000);
    ensure!(tail.iter().all(|byte| *byte == 0), "what was cut off came back");
    file.truncate(0).await?;
    ensure_eq!(file.len().await?, 0);
    ensure_eq!(read(&*file, 0, 10).await?, b"");
    Ok(())
}

pub(super) async fn allocate(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    write(&*file, 0, b"head").await?;
    file.allocate(100_000).await?;
    ensure_eq!(file.len().await?, 100_000);
    let bytes = read(&*file, 0, 200_000).await?;
    ensure_eq!(bytes.len(), 100_000);
    ensure!(bytes.starts_with(b"head"), "allocation changed the contents");
    ensure!(bytes[4..].iter().all(|byte| *byte == 0), "allocated space is not zero");
    file.allocate(10).await?;
    file.allocate(0).await?;
    ensure_eq!(file.len().await?, 100_000);
    Ok(())
}

pub(super) async fn nothing(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    ensure_eq!(file.write_at(0, Buf::new()).await.result, Ok(0));
    ensure_eq!(file.write_at(100, Buf::new()).await.result, Ok(0));
    ensure_eq!(file.write_at_and_sync(0, Buf::new()).await.result, Ok(0));
    ensure_eq!(file.len().await?, 0);
    ensure_eq!(file.read_at(0, Buf::new()).await.result, Ok(0));
    Ok(())
}

pub(super) async fn sync(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let file = create(env, &path).await?;
    file.sync(SyncMode::Data).await?;
    write(&*file, 0, b"bytes").await?;
    file.sync(SyncMode::Data).await?;
    file.sync(SyncMode::All).await?;
    let reader = env.disk.open(&path, OpenOptions::read()).await?;
    reader.sync(SyncMode::Data).await?;
    ensure_eq!(contents(env, &path).await?, b"bytes");
    Ok(())
}

pub(super) async fn write_and_sync(env: &Env, dir: &str) -> Checked {
    for direct in [false, true] {
        let path = format!("{dir}/{direct}");
        let file = env.disk.open(&path, OpenOptions::create_new().direct(direct)).await?;
        let mut expected = Vec::new();
        for block in 0..10 {
            let bytes = pattern(block, 2 * ALIGNMENT);
            let (result, buf) = write_full_and_sync(&*file, expected.len() as u64, Buf::from(&*bytes)).await;
            result?;
            ensure!(*buf == *bytes, "another buffer came back");
            expected.extend_from_slice(&bytes);
        }
        ensure!(contents(env, &path).await? == expected, "the file differs from what was written");
        // One call is all or a shorter count.
        let io = file.write_at_and_sync(0, Buf::zeroed(ALIGNMENT)).await;
        let written = io.result?;
        ensure!(written > 0 && written <= ALIGNMENT, "{written} bytes written of {ALIGNMENT}");
    }
    Ok(())
}

pub(super) async fn buffers_come_back(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    let mut buf = Buf::with_capacity(3 * ALIGNMENT);
    buf.extend_from_slice(b"contents");
    let (address, capacity) = (buf.as_ptr(), buf.capacity());
    // Addresses are compared as numbers: a pointer must not live across an await.
    let address = address as usize;
    let io = file.write_at(0, buf).await;
    ensure!(matches!(io.result, Ok(1..=8)), "{:?} bytes written of 8", io.result);
    ensure_eq!((io.buf.as_ptr() as usize, io.buf.capacity(), io.buf.len()), (address, capacity, 8));
    let io = file.read_at(0, io.buf).await;
    ensure!(matches!(io.result, Ok(1..=8)), "{:?} bytes read of 8", io.result);
    ensure_eq!((io.buf.as_ptr() as usize, io.buf.capacity(), io.buf.len()), (address, capacity, 8));
    ensure_eq!(&*io.buf, b"contents");
    Ok(())
}

pub(super) async fn long(env: &Env, dir: &str) -> Checked {
    let file = create(env, &format!("{dir}/file")).await?;
    let bytes = pattern(3, (3 << 20) + 17);
    write(&*file, 11, &bytes).await?;
    file.sync(SyncMode::Data).await?;
    ensure!(read(&*file, 11, 4 << 20).await? == bytes, "the file differs from what was written");
    Ok(())
}

pub(super) async fn two_handles(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let one = create(env, &path).await?;
    let two = env.disk.open(&path, OpenOptions::read()).await?;
    write(&*one, 0, b"shared").await?;
    ensure_eq!(read(&*two, 0, 10).await?, b"shared");
    one.truncate(3).await?;
    ensure_eq!(two.len().await?, 3);
    drop(one);
    ensure_eq!(read(&*two, 0, 10).await?, b"sha");
    Ok(())
}

pub(super) async fn direct(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let file = env.disk.open(&path, OpenOptions::create_new().direct(true)).await?;
    let bytes = pattern(4, 8 * ALIGNMENT);
    file.allocate(4 * ALIGNMENT as u64).await?;
    let (result, _) = write_full(&*file, 0, Buf::from(&*bytes)).await;
    result?;
    ensure!(read(&*file, 0, 8 * ALIGNMENT).await? == bytes, "reading the whole file");
    ensure!(read(&*file, ALIGNMENT as u64, ALIGNMENT).await? == bytes[ALIGNMENT..2 * ALIGNMENT], "reading one block");
    ensure_eq!(file.read_at(8 * ALIGNMENT as u64, Buf::zeroed(ALIGNMENT)).await.result, Ok(0));
    // The end of a file need not be aligned, and reading up to it is no error.
    file.truncate(5000).await?;
    ensure!(read(&*file, 0, 8 * ALIGNMENT).await? == bytes[..5000], "reading up to an end that is not aligned");
    // A handle that goes through the cache sees the same file.
    ensure!(contents(env, &path).await? == bytes[..5000], "reading through the cache");
    let reader = env.disk.open(&path, OpenOptions::read().direct(true)).await?;
    ensure!(read(&*reader, 0, 2 * ALIGNMENT).await? == bytes[..5000], "reading through another direct handle");
    Ok(())
}

/// Dropping the `Pending` of a write stops the waiting, not the write, and the buffer lives as long as that takes.
pub(super) async fn dropped_writes(env: &Env, dir: &str) -> Checked {
    for direct in [false, true] {
        let path = format!("{dir}/{direct}");
        let file = env.disk.open(&path, OpenOptions::create_new().direct(direct)).await?;
        let blocks: Vec<Vec<u8>> = (0..32).map(|block| pattern(block, ALIGNMENT)).collect();
        for (number, block) in blocks.iter().enumerate() {
            let offset = (number * ALIGNMENT) as u64;
            let write = match number % 2 {
                0 => file.write_at(offset, Buf::from(&**block)),
                _ => file.write_at_and_sync(offset, Buf::from(&**block)),
            };
            drop(write);
        }
        for (number, block) in blocks.iter().enumerate() {
            let mut tries = 0;
            // Short writes are legal, and then nobody was there to write the rest.
            while !is_prefix_then_zeros(&read(&*file, (number * ALIGNMENT) as u64, ALIGNMENT).await?, block) {
                tries += 1;
                ensure!(tries < 2_000, "write {number} did not arrive, or not as it was");
                env.sleep(Duration::from_millis(1)).await;
            }
        }
    }
    Ok(())
}

/// Whether `found` begins as `written` does, for at least a byte, and is zero behind.
fn is_prefix_then_zeros(found: &[u8], written: &[u8]) -> bool {
    let same = found.iter().zip(written).take_while(|(found, written)| found == written).count();
    same > 0 && found[same..].iter().all(|byte| *byte == 0)
}

/// Dropping the `Pending` of a read must not let the read scribble over memory that somebody else has now.
pub(super) async fn dropped_reads(env: &Env, dir: &str) -> Checked {
    for direct in [false, true] {
        let path = format!("{dir}/{direct}");
        let file = env.disk.open(&path, OpenOptions::create_new().direct(direct)).await?;
        let (result, _) = write_full(&*file, 0, Buf::from(&*vec![0xff; 16 * ALIGNMENT])).await;
        result?;
        let mut others = Vec::new();
        for round in 0..200_u64 {
            drop(file.read_at((round % 16) * ALIGNMENT as u64, Buf::zeroed(ALIGNMENT)));
            others.push(Buf::zeroed(ALIGNMENT));
        }
        for _ in 0..10 {
            ensure_eq!(read(&*file, 0, 10 * ALIGNMENT).await?.len(), 10 * ALIGNMENT);
            env.sleep(Duration::from_millis(1)).await;
        }
        ensure!(
            others.iter().all(|buf| buf.iter().all(|byte| *byte == 0)),
            "a read wrote to a buffer of somebody else"
        );
    }
    Ok(())
}

/// Many operations of one future, all started before the first is awaited.
pub(super) async fn many_at_once(env: &Env, dir: &str) -> Checked {
    const BLOCKS: usize = 600;
    let file = create(env, &format!("{dir}/file")).await?;
    let block = |number: usize| pattern(number as u64, 1000);
    let writes: Vec<_> =
        (0..BLOCKS).map(|number| (number, file.write_at((number * 1000) as u64, Buf::from(&*block(number))))).collect();
    for (number, write) in writes {
        let io = write.await;
        let written = io.result?;
        write_rest(&*file, (number * 1000) as u64, &io.buf, written).await?;
    }
    file.sync(SyncMode::Data).await?;
    ensure_eq!(file.len().await?, (BLOCKS * 1000) as u64);
    let reads: Vec<_> =
        (0..BLOCKS).rev().map(|number| (number, file.read_at((number * 1000) as u64, Buf::zeroed(1000)))).collect();
    for (number, read) in reads {
        let io = read.await;
        let count = io.result?;
        ensure!(count > 0 && io.buf[..count] == block(number)[..count], "block {number} differs");
    }
    Ok(())
}

async fn write_rest(file: &dyn File, offset: u64, bytes: &[u8], written: usize) -> Checked {
    Ok(write(file, offset + written as u64, &bytes[written..]).await?)
}

/// Many tasks with an operation each at a time.
pub(super) async fn tasks_at_once(env: &Env, dir: &str) -> Checked {
    const TASKS: u64 = 16;
    let file = create(env, &format!("{dir}/file")).await?;
    let failures = Arc::new(crate::sync::Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (file, failures) = (file.clone(), failures.clone());
            env.spawn("write and read back", async move {
                if let Err(failure) = write_and_read_back(&*file, number).await {
                    failures.lock().push(failure.0);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    let failures = std::mem::take(&mut *failures.lock());
    ensure_eq!(failures, Vec::<String>::new());
    Ok(())
}

async fn write_and_read_back(file: &dyn File, task: u64) -> Checked {
    for round in 0..20 {
        let (offset, bytes) = ((task * 20 + round) * 777, pattern(task << 32 | round, 777));
        write(file, offset, &bytes).await?;
        if round % 10 == 0 {
            file.sync(SyncMode::Data).await?;
        }
        ensure!(read(file, offset, 777).await? == bytes, "task {task} read something else in round {round}");
    }
    Ok(())
}
