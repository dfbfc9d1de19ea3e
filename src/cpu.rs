//! Which vector instructions may the kernels use? The best this processor has, or fewer where the user says so.
//!
//! Every kernel exists in a portable form that all others equal (property tests hold them to it), so the choice
//! changes the time and never the result. `DESCALE_KERNEL=portable|avx2|avx512` caps it, for benchmarks and for
//! finding faults; it is read once, and a level the processor lacks is lowered to one it has.

use std::sync::OnceLock;

/// A set of instructions, each above the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// What every processor of the target has.
    Portable,
    /// AVX2, BMI1, BMI2, LZCNT and POPCNT: 32-byte vectors.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, VBMI, VBMI2 and VPOPCNTDQ besides: 64-byte vectors, masks, byte compress.
    Avx512,
}

impl Kernel {
    /// The kernel to use in this process: the best there is, capped by `DESCALE_KERNEL`.
    #[must_use]
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Kernel> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let best = Self::best();
            let named = std::env::var("DESCALE_KERNEL").ok().and_then(|name| Self::named(&name));
            named.map_or(best, |cap| cap.min(best))
        })
    }

    /// All kernels this processor can run, [`Kernel::Portable`] first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        [Self::Portable, Self::Avx2, Self::Avx512].into_iter().filter(|&kernel| kernel <= Self::best()).collect()
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Self::Portable),
            "avx2" => Some(Self::Avx2),
            "avx512" => Some(Self::Avx512),
            _ => None,
        }
    }

    /// The best kernel this processor can run.
    #[must_use]
    #[cfg(target_arch = "x86_64")]
    pub fn best() -> Self {
        macro_rules! has {
            ($($feature:tt)*) => { true $(&& std::arch::is_x86_feature_detected!($feature))* };
        }
        if !has!("avx2" "bmi1" "bmi2" "lzcnt" "popcnt") {
            Self::Portable
        } else if !has!("avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vbmi" "avx512vbmi2" "avx512vpopcntdq") {
            Self::Avx2
        } else {
            Self::Avx512
        }
    }

    /// The best kernel this processor can run.
    #[must_use]
    #[cfg(not(target_arch = "x86_64"))]
    pub fn best() -> Self {
        Self::Portable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_can_run() {
        assert!(Kernel::available().contains(&Kernel::chosen()));
        assert_eq!(Kernel::available()[0], Kernel::Portable);
        assert_eq!(Kernel::named("avx2"), Some(Kernel::Avx2));
        assert_eq!(Kernel::named("AVX"), None);
    }
}
