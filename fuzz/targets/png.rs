//! Is there a PNG file that breaks a promise of the decoder?

#![no_main]

kana_fuzz::target!(Png);
