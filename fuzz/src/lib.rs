//! Which promises of a decoder does a file break?
//!
//! Each target forces the beginning of its format, decodes the file, and fails where a panic leaves the engine or begins in
//! its own code, or where more bytes are held at once than the file's header promised. Time is libFuzzer's `-timeout`.
//! A panic in a decoder of another crate is caught by the engine; it is reported once for each place, and is no failure.
//!
//! A picture of many pixels takes a thousand times as long as a small one, so only one in [`LARGE_EVERY`] of them is
//! decoded; the others are counted as skipped.
#![expect(clippy::disallowed_macros, reason = "a target reports on standard error")]

#[path = "../../crates/kana-engine/tests/it/counting.rs"]
mod counting;
mod seeds;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use kana_engine::image::decode::{ALLOC_MAX, memory_needed};
use kana_engine::image::{Fit, Shape, decode, fit};
use libfuzzer_sys::Corpus;

pub use libfuzzer_sys;

/// Bytes that the header of a large picture promises, at least: 8 MiB are promised to every file.
const LARGE: u64 = (8 << 20) + (512 << 10);

/// Bytes of tables that are promised to each WebP that may be lossless, however small.
const TABLES: u64 = 48 << 20;

/// Of large pictures, one in so many is decoded.
const LARGE_EVERY: u64 = 64;

/// Of pictures that were decoded, one in so many is fitted to a model as well.
const FIT_EVERY: u64 = 16;

/// A folder that each target fills with files to begin with, when it starts.
const SEEDS: &str = "KANA_FUZZ_SEEDS";

/// A format that has a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    WebP,
    /// BMP.
    Bmp,
    /// PBM, PGM, PPM and PAM.
    Pnm,
}

/// Defines the target of one format.
#[macro_export]
macro_rules! target {
    ($format:ident) => {
        use $crate::libfuzzer_sys;

        libfuzzer_sys::fuzz_target!(
            init: $crate::start($crate::Format::$format),
            |bytes: &[u8]| -> libfuzzer_sys::Corpus { $crate::check($crate::Format::$format, bytes) }
        );
    };
}

/// What a target has seen.
struct Seen {
    decoded: AtomicU64,
    skipped: AtomicU64,
    pictures: AtomicU64,
    slowest: AtomicU64,
    /// The largest part of its promise that a file took, in thousandths.
    fullest: AtomicU64,
}

static SEEN: Seen = Seen {
    decoded: AtomicU64::new(0),
    skipped: AtomicU64::new(0),
    pictures: AtomicU64::new(0),
    slowest: AtomicU64::new(0),
    fullest: AtomicU64::new(0),
};

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
    /// Places at which decoders panicked.
    static PLACES: RefCell<HashSet<String>> = RefCell::default();
}

unsafe extern "C" {
    /// Has `last` called when the process ends.
    safe fn atexit(last: extern "C" fn()) -> i32;
}

/// Prepares the target of `format`: seeds, a hook for panics, and a report at the end.
pub fn start(format: Format) {
    if let Some(folder) = std::env::var_os(SEEDS) {
        seeds::write(format, Path::new(&folder)).expect("the folder for seeds can be written");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if !IS_DECODING.get() || place.contains("kana-engine") {
            eprintln!("{panic}");
            std::process::abort();
        }
        if PLACES.with_borrow_mut(|places| places.insert(place)) {
            eprintln!("a decoder panicked, which the engine caught: {panic}");
        }
    }));
    if atexit(report) != 0 {
        eprintln!("there will be no report at the end");
    }
}

extern "C" fn report() {
    eprintln!(
        "decoded {} files, {} of them whole, and skipped {} large ones; slowest {} ms; fullest {} ‰ of its promise",
        SEEN.decoded.load(Relaxed),
        SEEN.pictures.load(Relaxed),
        SEEN.skipped.load(Relaxed),
        Duration::from_micros(SEEN.slowest.load(Relaxed)).as_millis(),
        SEEN.fullest.load(Relaxed),
    );
}

/// Decodes `bytes` as a file of `format`, and aborts where a promise is broken.
pub fn check(format: Format, bytes: &[u8]) -> Corpus {
    let file = forced(format, bytes);
    let promised = memory_needed(&file);
    assert!(promised <= ALLOC_MAX, "{promised} bytes are promised, and {ALLOC_MAX} are the limit");
    let digest = digest(&file);
    let may_be_lossless = format == Format::WebP && file.get(12..16) != Some(b"VP8 ");
    let is_large = promised > LARGE + if may_be_lossless { TABLES } else { 0 };
    if is_large && !digest.is_multiple_of(LARGE_EVERY) {
        SEEN.skipped.fetch_add(1, Relaxed);
        return Corpus::Reject;
    }
    let start = Instant::now();
    IS_DECODING.set(true);
    let (result, taken) = counting::peak(|| {
        catch_unwind(AssertUnwindSafe(|| {
            let picture = decode(&file).ok()?;
            if (digest / LARGE_EVERY).is_multiple_of(FIT_EVERY) {
                fit(&picture, Shape { channels: 1, height: 28, width: 28 }, Fit::Glyph { margin: 0.1 });
                fit(&picture, Shape { channels: 3, height: 32, width: 32 }, Fit::Cover);
            }
            Some(())
        }))
    });
    IS_DECODING.set(false);
    assert!(taken <= promised, "it took {taken} bytes, and {promised} were promised");
    let result = result.unwrap_or_else(|_| panic!("a panic left the engine"));
    SEEN.decoded.fetch_add(1, Relaxed);
    SEEN.pictures.fetch_add(u64::from(result.is_some()), Relaxed);
    SEEN.slowest.fetch_max(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
    SEEN.fullest.fetch_max(1_000 * taken / promised, Relaxed);
    // A large picture would be mutated into many more.
    if is_large { Corpus::Reject } else { Corpus::Keep }
}

/// A copy of `bytes` that begins as files of `format` do.
fn forced(format: Format, bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    let mut force = |at: usize, magic: &[u8]| {
        if file.len() < at + magic.len() {
            file.resize(at + magic.len(), 0);
        }
        file[at..at + magic.len()].copy_from_slice(magic);
    };
    match format {
        Format::Png => force(0, b"\x89PNG\r\n\x1a\n"),
        Format::Jpeg => force(0, b"\xff\xd8\xff"),
        Format::Gif => force(0, b"GIF89a"),
        Format::WebP => {
            force(0, b"RIFF");
            force(8, b"WEBP");
        }
        Format::Bmp => {
            force(0, b"BM");
            force(6, &[0; 4]);
        }
        Format::Pnm => {
            let kind = bytes.get(1).map_or(0, |kind| kind.wrapping_sub(b'1') % 7);
            force(0, &[b'P', b'1' + kind, b'\n']);
        }
    }
    file
}

/// FNV-1a: decides by an input alone whether it is decoded.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, &byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
