//! Reading a process's memory.

/// The user memory of the interrupted thread. `false`: not readable, which in the kernel
/// includes every page that is not resident; what is in the buffer is then not defined.
pub trait Memory {
    /// Fills `words` from `address`.
    fn read<const N: usize>(&self, address: u64, words: &mut [u64; N]) -> bool;

    /// Fills the first `len` bytes of `words` from `address`; at most `N * 8` are read.
    fn read_part<const N: usize>(&self, address: u64, words: &mut [u64; N], len: u64) -> bool;

    /// The word at `address`.
    #[inline(always)]
    fn word(&self, address: u64) -> Option<u64> {
        let mut word = [0];
        if self.read(address, &mut word) {
            Some(word[0])
        } else {
            None
        }
    }
}
