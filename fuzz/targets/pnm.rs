//! Is there a PNM file that breaks a promise of the decoder?

#![no_main]

kana_fuzz::target!(Pnm);
