//! Gives freed memory back to the system.
//!
//! The GNU C library keeps freed pages that lie between pieces still in use, after a big shuffle hundreds of megabytes, and
//! what is asked for next seldom fits there. Told to, it gives them back. Other systems' allocators are left to themselves.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the standard library has no word for it")]
mod system {
    // SAFETY: declared as in `malloc.h`. Any thread may call it at any time: it takes the allocator's own locks and touches
    // only what is free.
    unsafe extern "C" {
        /// Gives back all whole pages that are free, but for `pad` bytes at the end.
        pub(super) safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
}

/// Gives back what it can; milliseconds, and a page fault for each page that is used again.
pub(super) fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    system::malloc_trim(0);
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::engine::summary::resident_bytes;

    #[test]
    fn freed_memory_between_used_pieces_goes_back() {
        // Under a sanitiser or valgrind another allocator takes its place.
        if ["ASAN_OPTIONS", "LD_PRELOAD"].iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        // Small enough that none is a mapping of its own, together more than what other tests do meanwhile.
        let mut pieces: Vec<Option<Vec<u8>>> = (0..8000).map(|_| Some(vec![1; 64 << 10])).collect();
        let full = resident_bytes();
        pieces.iter_mut().enumerate().filter(|(i, _)| i % 20 > 0).for_each(|(_, piece)| *piece = None);
        give_back_freed_memory();
        assert!(resident_bytes() + (300 << 20) < full, "{} of {full}", resident_bytes());
        assert_eq!(pieces.iter().flatten().count(), 400);
    }
}
