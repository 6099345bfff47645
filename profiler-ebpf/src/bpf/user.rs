//! [`Memory`] of the current task, through `bpf_probe_read_user`.

use core::arch::asm;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use profiler_ebpf::Memory;

/// The current task's user memory.
pub(crate) struct UserMemory;

impl Memory for UserMemory {
    #[inline(always)]
    fn read<const N: usize>(&self, address: u64, words: &mut [u64; N]) -> bool {
        // SAFETY: the destination is valid for N words; the helper checks the source.
        unsafe {
            bpf_probe_read_user(
                words.as_mut_ptr().cast(),
                (N * 8) as u32,
                address as *const _,
            ) == 0
        }
    }

    #[inline(always)]
    fn read_part<const N: usize>(&self, address: u64, words: &mut [u64; N], len: u64) -> bool {
        let mut len = len;
        // The clamp is assembly so that LLVM cannot move it away from the call: 5.10 and 6.1
        // lose the bounds of a value that was spilled in between.
        // SAFETY: only the register named is changed.
        unsafe {
            asm!(
                "if {len} <= {max} goto +1",
                "{len} = {max}",
                len = inout(reg) len,
                max = const N * 8,
            );
        }
        // SAFETY: the destination is valid for N words and `len` is at most that; the helper
        // checks the source.
        unsafe {
            bpf_probe_read_user(words.as_mut_ptr().cast(), len as u32, address as *const _) == 0
        }
    }
}
