//! On which instructions of the processor does the arithmetic run?
//!
//! The filters are written once, over the registers of [`pulp::Simd`], and [`Instructions::run`] compiles them for each
//! instruction set. `pulp` asks the processor before it hands out a set, so the engine has no `unsafe` of its own, and each
//! of its operations is one instruction: the products run at nine tenths of the processor's peak. Plain arrays of floats
//! for the compiler to vectorise were tried first: filters with enough sums to be fast became single floats, ten times
//! slower.

use std::fmt;
use std::str::FromStr;

use pulp::{NullaryFnOnce, Scalar128b, Simd};
use serde::{Serialize, Serializer};

use super::LANES;

/// A set of vector instructions that this processor has. All sets compute the same values, to the last few bits.
///
/// Only [`Instructions::available`] creates one, after it asked the processor.
#[derive(Clone, Copy, Debug)]
pub struct Instructions(Set);

/// The sets that the filters are compiled for.
#[derive(Clone, Copy, Debug)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    Portable,
}

/// A computation that is compiled for each instruction set.
pub trait Kernel {
    /// Computes. Implementations, and all that they call in a loop, are `#[inline(always)]`: only then are they compiled
    /// with the instructions of their caller.
    ///
    /// * `REGISTERS`: registers that [`LANES`] floats fill.
    /// * `ROWS`: times [`LANES`] sums that fit into the registers, beside one row of weights.
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S);
}

/// A kernel and its set, as `pulp` takes them.
struct Call<S, K, const REGISTERS: usize, const ROWS: usize> {
    simd: S,
    kernel: K,
}

impl<S: Simd, K: Kernel, const REGISTERS: usize, const ROWS: usize> NullaryFnOnce for Call<S, K, REGISTERS, ROWS> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const { assert!(REGISTERS * S::F32_LANES == LANES, "as many registers as the lanes fill") };
        self.kernel.run::<S, REGISTERS, ROWS>(self.simd);
    }
}

impl Instructions {
    /// Detects the sets of this processor, the fastest first; [`Portable`](Self::portable) is always the last.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(pulp::x86::V4::try_new().map(|simd| Self(Set::Avx512(simd))));
            sets.extend(pulp::x86::V3::try_new().map(|simd| Self(Set::Avx2(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        sets.extend(pulp::aarch64::Neon::try_new().map(|simd| Self(Set::Neon(simd))));
        sets.push(Self::portable());
        sets
    }

    /// Detects the fastest set of this processor.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// The instructions that every processor of the build's target has: on x86-64 SSE2. Without a fused multiply-add.
    pub fn portable() -> Self {
        Self(Set::Portable)
    }

    /// Name in logs and flags: `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => "neon",
            Set::Portable => "portable",
        }
    }

    /// Computes `kernel` with these instructions.
    pub fn run(self, kernel: impl Kernel) {
        match self.0 {
            // 32 registers of 16 floats: 13 are sums, half of a row of the built-in model's first layer. Its others have 9 and 12
            // rows, and six sums, which is what eight at most left of 12, do not hide the latency of a multiply-add.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(simd) => simd.vectorize(Call::<_, _, 1, 13> { simd, kernel }),
            // 16 registers of 8 floats: 6 × 2 of them are sums, two hold weights, and one an input.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(simd) => simd.vectorize(Call::<_, _, 2, 6> { simd, kernel }),
            // 32 registers of four floats: 6 × 4 of them are sums.
            #[cfg(target_arch = "aarch64")]
            Set::Neon(simd) => simd.vectorize(Call::<_, _, 4, 6> { simd, kernel }),
            // 16 registers of four floats: 2 × 4 of them are sums.
            Set::Portable => Call::<_, _, 4, 2> { simd: Scalar128b, kernel }.call(),
        }
    }
}

impl PartialEq for Instructions {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Instructions {}

impl Serialize for Instructions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not an instruction set of this processor. Caller: choose one of [`Instructions::available`].
#[derive(Debug, thiserror::Error)]
#[error("this processor has no instructions called {name:?}: expected one of {available:?}")]
pub struct NotAvailable {
    name: String,
    available: Vec<&'static str>,
}

impl FromStr for Instructions {
    type Err = NotAvailable;

    fn from_str(name: &str) -> Result<Self, NotAvailable> {
        let sets = Self::available();
        sets.iter().copied().find(|set| set.name() == name).ok_or_else(|| NotAvailable {
            name: name.to_owned(),
            available: sets.iter().map(|set| set.name()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_is_found_by_its_name_and_no_other_is() {
        for set in Instructions::available() {
            assert_eq!(set.name().parse::<Instructions>().expect("available"), set);
        }

        let error = "mmx".parse::<Instructions>().expect_err("not compiled for");

        assert!(error.to_string().contains("\"mmx\"") && error.to_string().contains("portable"), "{error}");
    }
}
