//! Does a scan of a JPEG hold all of its blocks?
//!
//! Its coded data are read as a decoder would, but nothing is computed from them: what counts is that every block is there.
//! Decoders fill missing blocks with grey, whether a file is cut off or another end was glued to its middle.

use super::bits::{Bits, Fault, Table};

/// A component of a picture: brightness, or one of the colours.
pub(super) struct Component {
    /// The name by which scans call it.
    pub id: u8,
    /// Blocks of it in a unit of an interleaved scan, across.
    pub across: u32,
    /// Blocks of it in a unit of an interleaved scan, down.
    pub down: u32,
    /// Blocks in a row, with those that only fill up the last unit.
    pub stride: usize,
    /// Of each block, the coefficients that are not zero so far; empty unless the frame is progressive.
    pub nonzero: Vec<u64>,
    /// The coefficients of which a scan has sent all bits.
    pub complete: u64,
    /// Whether a scan has sent the blocks' mean values.
    pub is_seen: bool,
}

/// A frame's header.
pub(super) struct Frame {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Whether coefficients are spread over several scans.
    pub is_progressive: bool,
    /// Its components.
    pub components: Vec<Component>,
    /// The greatest number of blocks in a unit, across and down.
    pub most: (u32, u32),
}

impl Frame {
    /// Units of an interleaved scan, across and down.
    pub fn units(&self) -> (u32, u32) {
        (self.width.div_ceil(8 * self.most.0), self.height.div_ceil(8 * self.most.1))
    }
}

/// A scan's header.
pub(super) struct Scan {
    /// Places of its components in the frame, with their tables for mean values and for the other coefficients.
    pub parts: Vec<Part>,
    /// The first and the last coefficient.
    pub band: (u32, u32),
    /// The lowest bit that was sent before; 0 in a first scan.
    pub high: u8,
    /// The lowest bit that is sent.
    pub low: u8,
    /// Units between two restart markers; 0 where there are none.
    pub restart: u32,
}

/// A component's part in a scan.
pub(super) struct Part {
    /// The component's place in the frame.
    pub component: usize,
    /// The table of mean values.
    pub dc: Option<Table>,
    /// The table of the other coefficients.
    pub ac: Option<Table>,
}

impl Scan {
    /// Blocks that the scan visits.
    pub fn visits(&self, frame: &Frame) -> u64 {
        let (across, down) = self.grid(frame);
        let blocks = |part: &Part| frame.components[part.component].across * frame.components[part.component].down;
        let each = if self.parts.len() == 1 { 1 } else { self.parts.iter().map(blocks).sum() };
        u64::from(across) * u64::from(down) * u64::from(each)
    }

    /// Whether the scan has some of the components of a sequential picture whose rows of blocks differ, or that differ
    /// themselves: the decoder mixes up their blocks.
    pub fn is_apart(&self, frame: &Frame) -> bool {
        let factors = |part: &Part| (frame.components[part.component].across, frame.components[part.component].down);
        let is_even = self.parts.windows(2).all(|pair| factors(&pair[0]) == factors(&pair[1]));
        !frame.is_progressive && self.parts.len() < frame.components.len() && (frame.most.1 > 1 || !is_even)
    }

    /// Units across and down: blocks where the scan has one component.
    fn grid(&self, frame: &Frame) -> (u32, u32) {
        if let [part] = &self.parts[..] {
            let component = &frame.components[part.component];
            let side = |pixels: u32, own: u32, most: u32| (pixels * own).div_ceil(8 * most);
            return (
                side(frame.width, component.across, frame.most.0),
                side(frame.height, component.down, frame.most.1),
            );
        }
        frame.units()
    }

    /// Reads all blocks of the scan from `bits`.
    pub fn read(&self, frame: &mut Frame, bits: &mut Bits<'_>) -> Result<(), Fault> {
        let (across, down) = self.grid(frame);
        let mut run = 0;
        let mut left = self.restart;
        for y in 0..down {
            for x in 0..across {
                if self.restart > 0 && left == 0 {
                    (left, run) = (self.restart, 0);
                    match bits.marker() {
                        Some(0xd0..=0xd7) => bits.pass_marker(),
                        _ => return Err(Fault::Short),
                    }
                }
                left = left.wrapping_sub(1);
                self.read_unit(frame, (x, y), &mut run, bits)?;
            }
        }
        self.mark(frame);
        Ok(())
    }

    fn read_unit(&self, frame: &mut Frame, at: (u32, u32), run: &mut u32, bits: &mut Bits<'_>) -> Result<(), Fault> {
        let is_single = self.parts.len() == 1;
        for part in &self.parts {
            let component = &mut frame.components[part.component];
            let (across, down) = if is_single { (1, 1) } else { (component.across, component.down) };
            for y in 0..down {
                for x in 0..across {
                    if frame.is_progressive {
                        let place = (at.1 * down + y) as usize * component.stride + (at.0 * across + x) as usize;
                        let nonzero = component.nonzero.get_mut(place).ok_or(Fault::Code)?;
                        self.read_progressive(part, nonzero, run, bits)?;
                    } else {
                        read_sequential(part, bits)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn read_progressive(
        &self,
        part: &Part,
        nonzero: &mut u64,
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Fault> {
        match (self.band.0, self.high) {
            (0, 0) => {
                let length = part.dc.as_ref().ok_or(Fault::Code)?.symbol(bits)?;
                bits.skip(u32::from(length))
            }
            (0, _) => bits.skip(1),
            (_, 0) => self.read_first(part.ac.as_ref().ok_or(Fault::Code)?, nonzero, run, bits),
            _ => self.read_refinement(part.ac.as_ref().ok_or(Fault::Code)?, nonzero, run, bits),
        }
    }

    /// The first bits of a band of coefficients (ITU-T T.81, G.1.2.2).
    fn read_first(&self, table: &Table, nonzero: &mut u64, run: &mut u32, bits: &mut Bits<'_>) -> Result<(), Fault> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let (mut at, last) = self.band;
        while at <= last {
            let symbol = table.symbol(bits)?;
            let (zeros, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, length) {
                (15, 0) => at += 16,
                (_, 0) => {
                    *run = (1 << zeros) - 1 + bits.take(zeros)?;
                    return Ok(());
                }
                _ => {
                    at += zeros;
                    bits.skip(length)?;
                    *nonzero |= 1_u64.checked_shl(at).unwrap_or(0);
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of a band of coefficients (ITU-T T.81, G.1.2.3): each that is not zero has a bit of its own, wherever
    /// a code passes over it.
    fn read_refinement(
        &self,
        table: &Table,
        nonzero: &mut u64,
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Fault> {
        let (mut at, last) = self.band;
        if *run == 0 {
            while at <= last {
                let symbol = table.symbol(bits)?;
                let (mut zeros, length) = (u32::from(symbol >> 4), symbol & 15);
                if length == 0 && zeros < 15 {
                    *run = (1 << zeros) + bits.take(zeros)?;
                    break;
                }
                if length > 0 {
                    bits.skip(1)?;
                }
                while at <= last {
                    if *nonzero >> at & 1 == 1 {
                        bits.skip(1)?;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    at += 1;
                }
                if length > 0 && at <= last {
                    *nonzero |= 1 << at;
                }
                at += 1;
            }
        }
        if *run > 0 {
            *run -= 1;
            if at <= last {
                bits.skip((*nonzero & band(at, last)).count_ones())?;
            }
        }
        Ok(())
    }

    fn mark(&self, frame: &mut Frame) {
        for part in &self.parts {
            let component = &mut frame.components[part.component];
            component.is_seen |= self.band.0 == 0;
            if self.low == 0 {
                component.complete |= band(self.band.0, self.band.1);
            }
        }
    }
}

/// Bits `first` to `last`, which is at most 63.
fn band(first: u32, last: u32) -> u64 {
    u64::MAX << first & u64::MAX >> (63 - last)
}

fn read_sequential(part: &Part, bits: &mut Bits<'_>) -> Result<(), Fault> {
    let (Some(dc), Some(ac)) = (&part.dc, &part.ac) else { return Err(Fault::Code) };
    let length = dc.symbol(bits)?;
    bits.skip(u32::from(length))?;
    let mut at = 1;
    while at < 64 {
        let symbol = ac.symbol(bits)?;
        let (zeros, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, length) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                bits.skip(length)?;
                at += zeros + 1;
            }
        }
    }
    Ok(())
}
