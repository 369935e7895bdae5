//! Taking io_uring away from a process, as the default seccomp profile of containers does.
//!
//! The filter is installed between fork and exec, where only async-signal-safe calls are allowed: two `prctl`s over
//! a program that was built before. It answers EPERM to `io_uring_setup`, and lets everything else pass.
#![allow(unsafe_code, reason = "pre_exec and prctl have no safe form; the closure's safety is argued at its place")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{c_ulong, sock_filter, sock_fprog};

/// Makes `io_uring_setup` fail with EPERM in the process that `command` starts.
pub fn io_uring(command: &mut Command) {
    let mut program = filter();
    let install = move || {
        let fprog = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: plain system calls; `fprog` and the program that it points to live until they return.
        unsafe {
            let (on, off): (c_ulong, c_ulong) = (1, 0);
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, off, off, off) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, c_ulong::from(libc::SECCOMP_MODE_FILTER), &raw const fprog) != 0
            {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(install) };
}

/// `if nr == io_uring_setup { EPERM } else { allow }`, in classic BPF over `struct seccomp_data` (its first word is the
/// number of the system call). The architecture is not looked at: the process is one that we built for this machine.
fn filter() -> [sock_filter; 4] {
    let statement = |code: u32, jump_true, jump_false, value| sock_filter {
        code: code as u16,
        jt: jump_true,
        jf: jump_false,
        k: value,
    };
    let number = u32::try_from(libc::SYS_io_uring_setup).expect("system calls have small numbers");
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
