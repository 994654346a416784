//! Is there a JPEG file that breaks a promise of the decoder?

#![no_main]

kana_fuzz::target!(Jpeg);
