use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use super::*;

fn own() -> ProcessMemory {
    ProcessMemory::new(Tgid(std::process::id()))
}

fn errno(result: &io::Result<()>) -> Option<i32> {
    result.as_ref().err().and_then(io::Error::raw_os_error)
}

/// Two pages, the second of which cannot be read.
fn page_before_a_hole() -> (u64, usize) {
    const PAGE: usize = 4096;
    // SAFETY: a new private mapping at an address that the kernel chooses.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            2 * PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(start, libc::MAP_FAILED);
    // SAFETY: both pages were just mapped and are used by nothing else.
    unsafe { start.cast::<u8>().write_bytes(7, PAGE) };
    let hole = start.wrapping_byte_add(PAGE);
    // SAFETY: the second page holds nothing that anybody refers to.
    let result = unsafe { libc::mprotect(hole, PAGE, libc::PROT_NONE) };
    assert_eq!(result, 0);
    (start as u64, PAGE)
}

#[test]
fn reads_what_is_there() {
    let truth: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
    let mut buffer = vec![0; truth.len()];
    own().read(truth.as_ptr() as u64, &mut buffer).unwrap();
    assert_eq!(buffer, truth);
    own().read(8, &mut []).unwrap();
}

#[test]
fn reads_all_or_fails() {
    let (start, page) = page_before_a_hole();
    let mut buffer = [0; 16];
    own().read(start + page as u64 - 16, &mut buffer).unwrap();
    assert_eq!(buffer, [7; 16]);
    for address in [
        start + page as u64 - 8,
        start + page as u64,
        0,
        u64::MAX,
        u64::MAX - 8,
        1 << 47,
    ] {
        assert_eq!(
            errno(&own().read(address, &mut buffer)),
            Some(libc::EFAULT),
            "{address:x}"
        );
    }
}

#[test]
fn each_request_of_a_batch_has_its_own_result() {
    let (start, page) = page_before_a_hole();
    let hole = start + page as u64;
    let truth: Vec<u64> = (0..3_000).collect();
    // Of 3,000 requests, more than fit in two calls, each seventh leads into or over the hole.
    let mut buffers = vec![[0_u8; 8]; truth.len()];
    let mut requests: Vec<Request<'_>> = Vec::new();
    for (n, buffer) in buffers.iter_mut().enumerate() {
        let address = match n % 14 {
            0 => hole,
            7 => hole - 4,
            _ => &raw const truth[n] as u64,
        };
        requests.push(Request::new(address, buffer));
    }
    own().read_batch(&mut requests);
    for (n, request) in requests.iter().enumerate() {
        if n % 7 == 0 {
            assert!(!request.is_read, "{n}");
        } else {
            assert!(request.is_read, "{n}");
            assert_eq!(request.buffer, (n as u64).to_le_bytes());
        }
    }
}

#[test]
fn empty_batches_and_empty_requests() {
    own().read_batch(&mut []);
    let mut byte = [0];
    let truth = 9_u8;
    let mut requests = [
        Request::new(0, &mut []),
        Request::new(&raw const truth as u64, &mut byte),
        Request::new(0, &mut []),
    ];
    own().read_batch(&mut requests);
    assert!(requests.iter().all(|request| request.is_read));
    assert_eq!(byte, [9]);
}

#[test]
fn another_process_until_its_end() {
    let mut command = Command::new("cat");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it answers, exec is done.
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let tgid = Tgid(child.id());
    let maps = crate::procfs::file_mappings(tgid).unwrap();
    let elf = maps
        .iter()
        .find(|mapping| mapping.offset == 0)
        .unwrap()
        .start;
    let mut magic = [0; 4];
    ProcessMemory::new(tgid).read(elf, &mut magic).unwrap();
    assert_eq!(&magic, b"\x7fELF");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        errno(&ProcessMemory::new(tgid).read(elf, &mut magic)),
        Some(libc::ESRCH)
    );
    assert_eq!(
        errno(&ProcessMemory::new(Tgid(u32::MAX)).read(elf, &mut magic)),
        Some(libc::ESRCH)
    );
}
