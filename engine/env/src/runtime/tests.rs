//! The executor as its users see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::sync::Notify;
use crate::{Buf, Env, ErrorKind, OpenOptions, Result, SyncMode, pending};

fn memory() -> Env {
    Env::memory().expect("threads start")
}

/// Every backend with a disk that works here, each in a directory of its own.
fn on_disk() -> Vec<(Env, tempfile::TempDir)> {
    let open = |open: fn(&std::path::Path) -> Result<Env>| {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        open(directory.path()).ok().map(|env| (env, directory))
    };
    [open(|path| Env::portable(path)), open(|path| Env::io_uring(path))].into_iter().flatten().collect()
}

/// Names of this process's threads that belong to an environment.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let names = std::fs::read_dir("/proc/self/task")
        .expect("procfs is mounted")
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("helios-")).collect()
}

/// Every task is run and ended, whatever the number of threads.
#[test]
fn tasks_run_and_end() {
    let env = memory();
    let count = Arc::new(AtomicUsize::new(0));
    env.block_on(async {
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let (env_of_task, count) = (env.clone(), count.clone());
                env.spawn("count", async move {
                    env_of_task.spawn.yield_now().await;
                    count.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_task_that_panics_ends_and_the_others_go_on() {
    let env = memory();
    env.block_on(env.spawn("panics", async { panic!("on purpose") }));
    env.block_on(env.spawn.offload("panics too", Box::new(|| panic!("on purpose"))));
    let ran = Arc::new(AtomicBool::new(false));
    let runs = ran.clone();
    env.block_on(env.spawn("runs", async move { runs.store(true, Ordering::Relaxed) }));
    assert!(ran.load(Ordering::Relaxed));
}

#[test]
#[should_panic(expected = "offloaded work \"sum\" panicked")]
fn the_result_of_work_that_panics_is_a_panic() {
    let env = memory();
    env.block_on(env.offload("sum", || panic!("on purpose")))
}

/// The waker of a task that is running must not get lost, nor run it twice at a time.
#[test]
fn tasks_woken_from_many_threads_lose_nothing() {
    let env = memory();
    let (pings, pongs) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (of_task, answers) = (pings.clone(), pongs.clone());
    let task = env.spawn("pong", async move {
        for _ in 0..5_000 {
            of_task.notified().await;
            answers.notify();
        }
    });
    env.block_on(async {
        for _ in 0..5_000 {
            pings.notify();
            pongs.notified().await;
        }
        task.await;
    });
}

/// The slot of a thread in `block_on` holds one operation; what else becomes of operations must not be to wait there.
#[test]
fn operations_complete_wherever_they_were_started() {
    for (env, _directory) in on_disk() {
        let file = env.block_on(env.disk.open("file", OpenOptions::create_new())).expect("created");
        let write = |byte: u8| file.write_at(u64::from(byte) * 10, Buf::from(&[byte; 10][..]));
        let read = |byte: u8| {
            let io = env.block_on(file.read_at(u64::from(byte) * 10, Buf::zeroed(10)));
            assert_eq!((io.result, &*io.buf), (Ok(10), &[byte; 10][..]));
        };
        // Started outside and awaited inside.
        let started = write(1);
        assert_eq!(env.block_on(started).result, Ok(10));
        // Started inside and awaited later: `block_on` returns with the operation in the slot.
        let mut started = None;
        env.block_on(async { started = Some(write(2)) });
        assert_eq!(env.block_on(started.expect("started")).result, Ok(10));
        // Started inside, and awaited by a nested `block_on`.
        env.block_on(async {
            let started = write(3);
            assert_eq!(env.block_on(started).result, Ok(10));
        });
        // Started inside and awaited by a task.
        env.block_on(async {
            let (completer, ended) = pending();
            let started = write(4);
            drop(env.spawn("awaits", async move {
                completer.complete(started.await.result);
            }));
            assert_eq!(ended.await, Ok(10));
        });
        // Started inside, by a future that never rests until it is done.
        env.block_on(async {
            let mut started = write(5);
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                std::pin::Pin::new(&mut started).poll(cx)
            })
            .await
            .result
            .expect("written");
        });
        (1..=5).for_each(read);
    }
}

/// The simplest executor there is, which is none of ours.
fn foreign_block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Any executor will do, also inside `block_on`, where it keeps the thread from doing the operation.
#[test]
fn operations_complete_in_a_foreign_runtime() {
    for (env, _directory) in on_disk() {
        let script = async |path: &str| {
            let file = env.disk.open(path, OpenOptions::create_new().direct(true)).await?;
            for block in 0..20 {
                file.write_at_and_sync(block * 4096, Buf::zeroed(4096)).await.result?;
            }
            env.sleep(Duration::from_millis(1)).await;
            file.read_at(4096, Buf::zeroed(4096)).await.result
        };
        assert_eq!(foreign_block_on(script("outside")), Ok(4096));
        assert_eq!(env.block_on(async { foreign_block_on(script("inside")) }), Ok(4096));
    }
}

/// Through the ring and the pool, too: what the kernel refuses is an error of that kind, that names the file.
#[cfg(target_os = "linux")]
#[test]
fn errors_arrive_with_their_kind_and_path() {
    for (env, directory) in on_disk() {
        std::os::unix::fs::symlink("/dev/full", directory.path().join("full")).expect("symbolic links work");
        let write = OpenOptions { write: true, ..OpenOptions::default() };
        let full = env.block_on(env.disk.open("full", write)).expect("the device is there");
        let check = |io: crate::Io| {
            let error = io.result.expect_err("the device is full");
            assert_eq!((error.kind(), error.path(), io.buf.len()), (ErrorKind::NoSpace, Some("full"), 10));
        };
        check(env.block_on(full.write_at(0, Buf::zeroed(10))));
        check(foreign_block_on(full.write_at(0, Buf::zeroed(10))));
        check(env.block_on(full.write_at_and_sync(0, Buf::zeroed(10))));
        check(foreign_block_on(full.write_at_and_sync(0, Buf::zeroed(10))));
        let error = foreign_block_on(full.sync(SyncMode::Data)).expect_err("a device that cannot sync");
        assert_eq!((error.kind(), error.path()), (ErrorKind::Invalid, Some("full")));
    }
}

/// Threads end with the environment, also when one of its own threads lets go of it last, and whatever is under way.
#[cfg(target_os = "linux")]
#[test]
fn threads_end_with_the_environment() {
    // Other tests run beside this one and have threads too: a process of its own sees only its own.
    const ALONE: &str = "HELIOS_TEST_THREADS_END";
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().expect("the test's executable");
        let status = std::process::Command::new(this)
            .args(["--exact", "runtime::tests::threads_end_with_the_environment", "--nocapture"])
            .env(ALONE, "yes")
            .status()
            .expect("the test runs");
        assert!(status.success());
        return;
    }
    for _ in 0..20 {
        for (env, _directory) in on_disk() {
            let file = env.block_on(env.disk.open("file", OpenOptions::create_new())).expect("created");
            assert!(!threads().is_empty());
            // Let go by a task, with operations in flight, a sleep pending and a task that waits for ever.
            let (never, waits) = pending::<()>();
            drop(env.spawn("waits for ever", waits));
            drop(env.sleep(Duration::from_secs(3600)));
            let (of_task, file_of_task) = (env.clone(), file.clone());
            drop(env.spawn("last", async move {
                for _ in 0..10 {
                    drop(file_of_task.write_at_and_sync(0, Buf::zeroed(4096)));
                }
                of_task.sleep(Duration::from_millis(1)).await;
                of_task.offload("nothing", || ()).await;
            }));
            drop(file);
            drop(env);
            drop(never);
        }
        let mut tries = 0;
        while !threads().is_empty() {
            tries += 1;
            assert!(tries < 1000, "still there: {:?}", threads());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
