//! Checks of directories: entries, names, replacement, locks.

use super::{Checked, contents, create, ensure_eq, ensure_fails, read, write};
use crate::{Env, OpenOptions};

pub(super) async fn list(env: &Env, dir: &str) -> Checked {
    ensure_eq!(env.disk.list(dir).await?, Vec::<String>::new());
    for name in ["b", "a.txt", "a", "B", "é", "a0", "10", "9"] {
        create(env, &format!("{dir}/{name}")).await?;
    }
    env.disk.create_dir(&format!("{dir}/sub/deep")).await?;
    create(env, &format!("{dir}/sub/inner")).await?;
    ensure_eq!(env.disk.list(dir).await?, ["10", "9", "B", "a", "a.txt", "a0", "b", "sub", "é"]);
    ensure_eq!(env.disk.list(&format!("{dir}/sub")).await?, ["deep", "inner"]);
    ensure_fails!(env.disk.list(&format!("{dir}/absent")).await, NotFound);
    ensure_fails!(env.disk.list(&format!("{dir}/a")).await, Directory);
    // The root is a directory like any other.
    let top = env.disk.list("").await?;
    ensure_eq!(top.iter().any(|name| name == super::DIRECTORY), true);
    Ok(())
}

pub(super) async fn create_dir(env: &Env, dir: &str) -> Checked {
    let deep = format!("{dir}/a/b/c");
    env.disk.create_dir(&deep).await?;
    env.disk.create_dir(&deep).await?;
    env.disk.create_dir(&format!("{dir}/a")).await?;
    env.disk.create_dir("").await?;
    create(env, &format!("{deep}/file")).await?;
    ensure_eq!(env.disk.list(&format!("{dir}/a/b")).await?, ["c"]);
    ensure_fails!(env.disk.create_dir(&format!("{deep}/file")).await, Directory);
    ensure_fails!(env.disk.create_dir(&format!("{deep}/file/below")).await, Directory);
    Ok(())
}

pub(super) async fn remove_dir(env: &Env, dir: &str) -> Checked {
    let (outer, inner) = (format!("{dir}/outer"), format!("{dir}/outer/inner"));
    env.disk.create_dir(&inner).await?;
    ensure_fails!(env.disk.remove_dir(&outer).await, Directory);
    let file = format!("{inner}/file");
    create(env, &file).await?;
    ensure_fails!(env.disk.remove_dir(&inner).await, Directory);
    ensure_fails!(env.disk.remove_dir(&file).await, Directory);
    env.disk.remove(&file).await?;
    env.disk.remove_dir(&inner).await?;
    ensure_fails!(env.disk.remove_dir(&inner).await, NotFound);
    env.disk.remove_dir(&outer).await?;
    ensure_eq!(env.disk.list(dir).await?, Vec::<String>::new());
    Ok(())
}

pub(super) async fn rename(env: &Env, dir: &str) -> Checked {
    let (from, to) = (format!("{dir}/from"), format!("{dir}/to"));
    write(&*create(env, &from).await?, 0, b"new").await?;
    env.disk.rename(&from, &to).await?;
    ensure_eq!(env.disk.list(dir).await?, ["to"]);
    ensure_eq!(contents(env, &to).await?, b"new");
    // Over one that is there.
    write(&*create(env, &from).await?, 0, b"newer").await?;
    env.disk.rename(&from, &to).await?;
    ensure_eq!(env.disk.list(dir).await?, ["to"]);
    ensure_eq!(contents(env, &to).await?, b"newer");
    // Over itself.
    env.disk.rename(&to, &to).await?;
    ensure_eq!(contents(env, &to).await?, b"newer");
    // Into another directory.
    let elsewhere = format!("{dir}/sub/elsewhere");
    env.disk.create_dir(&format!("{dir}/sub")).await?;
    env.disk.rename(&to, &elsewhere).await?;
    ensure_eq!(env.disk.list(dir).await?, ["sub"]);
    ensure_eq!(contents(env, &elsewhere).await?, b"newer");
    Ok(())
}

pub(super) async fn rename_what_is_no_file(env: &Env, dir: &str) -> Checked {
    let (file, sub) = (format!("{dir}/file"), format!("{dir}/sub"));
    ensure_fails!(env.disk.rename(&file, &sub).await, NotFound);
    create(env, &file).await?;
    env.disk.create_dir(&sub).await?;
    ensure_fails!(env.disk.rename(&file, &sub).await, Directory);
    ensure_fails!(env.disk.rename(&sub, &file).await, Directory);
    ensure_fails!(env.disk.rename(&file, &format!("{dir}/absent/file")).await, NotFound);
    ensure_fails!(env.disk.rename(&file, &format!("{file}/below")).await, Directory);
    ensure_eq!(env.disk.list(dir).await?, ["file", "sub"]);
    Ok(())
}

pub(super) async fn remove(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    ensure_fails!(env.disk.remove(&path).await, NotFound);
    create(env, &path).await?;
    ensure_fails!(env.disk.remove(&format!("{path}/below")).await, Directory);
    env.disk.remove(&path).await?;
    ensure_fails!(env.disk.remove(&path).await, NotFound);
    ensure_fails!(env.disk.open(&path, OpenOptions::read()).await, NotFound);
    let sub = format!("{dir}/sub");
    env.disk.create_dir(&sub).await?;
    ensure_fails!(env.disk.remove(&sub).await, Directory);
    // The name is free again, and the file behind it is a new one.
    ensure_eq!(create(env, &path).await?.len().await?, 0);
    Ok(())
}

pub(super) async fn remove_while_open(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    let file = create(env, &path).await?;
    write(&*file, 0, b"still").await?;
    env.disk.remove(&path).await?;
    ensure_eq!(env.disk.list(dir).await?, Vec::<String>::new());
    ensure_eq!(read(&*file, 0, 10).await?, b"still");
    write(&*file, 5, b" here").await?;
    ensure_eq!(read(&*file, 0, 10).await?, b"still here");
    ensure_eq!(create(env, &path).await?.len().await?, 0);
    Ok(())
}

pub(super) async fn replace_while_open(env: &Env, dir: &str) -> Checked {
    let (old, new) = (format!("{dir}/old"), format!("{dir}/new"));
    let replaced = create(env, &old).await?;
    let replacing = create(env, &new).await?;
    write(&*replaced, 0, b"old").await?;
    write(&*replacing, 0, b"new").await?;
    env.disk.rename(&new, &old).await?;
    ensure_eq!(read(&*replaced, 0, 10).await?, b"old");
    // The handle follows the file, not the name.
    write(&*replacing, 3, b"er").await?;
    ensure_eq!(contents(env, &old).await?, b"newer");
    Ok(())
}

pub(super) async fn sync_dir(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/file");
    create(env, &path).await?;
    env.disk.sync_dir(dir).await?;
    env.disk.sync_dir("").await?;
    ensure_fails!(env.disk.sync_dir(&format!("{dir}/absent")).await, NotFound);
    ensure_fails!(env.disk.sync_dir(&path).await, Directory);
    Ok(())
}

pub(super) async fn lock(env: &Env, dir: &str) -> Checked {
    let path = format!("{dir}/lock");
    let held = env.disk.lock(&path).await?;
    ensure_eq!(env.disk.list(dir).await?, ["lock"]);
    ensure_fails!(env.disk.lock(&path).await, Locked);
    let other = env.disk.lock(&format!("{dir}/other")).await?;
    drop(held);
    let again = env.disk.lock(&path).await?;
    ensure_fails!(env.disk.lock(&path).await, Locked);
    // The lock is advisory: the file can be read.
    ensure_eq!(contents(env, &path).await?, b"");
    ensure_fails!(env.disk.lock(dir).await, Directory);
    ensure_fails!(env.disk.lock(&format!("{dir}/absent/lock")).await, NotFound);
    drop((again, other));
    Ok(())
}
