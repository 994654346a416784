//! What may a disk do to a journal?
//!
//! A disk in memory, with a cache that a power cut empties: of what was not synced any page may be there, whole or torn,
//! and of the names any change. It can stop at any step, run full, and fail to sync: it then forgets which pages it never
//! took, as Linux does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::io::Errno;

use crate::queue::embedded::disk::{Disk, DiskFile};

/// Bytes of a page. Small, so that even short records cross from one to the next.
const PAGE: usize = 64;

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Steps after which everything stops.
    pub stop_after: Option<u64>,
    /// Whether syncs fail.
    pub no_sync: bool,
    /// Bytes that the disk holds.
    pub capacity: Option<usize>,
    /// The error of every write, whatever there is room for.
    pub write_error: Option<Errno>,
}

#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

struct State {
    random: StdRng,
    faults: Faults,
    steps: u64,
    /// The names as processes see them, and as the disk has them.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    files: Vec<Contents>,
}

#[derive(Clone, Default)]
struct Contents {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    reserved: usize,
}

pub struct SimulatedFile {
    disk: Arc<Mutex<State>>,
    file: usize,
}

impl State {
    /// Counts a step. Where everything stops there, it returns an error from then on.
    fn step(&mut self) -> io::Result<bool> {
        self.steps += 1;
        match self.faults.stop_after {
            Some(last) if self.steps > last => Err(io::Error::other("everything has stopped")),
            Some(last) => Ok(self.steps == last),
            None => Ok(false),
        }
    }

    fn used(&self) -> usize {
        self.names.values().map(|file| self.files[*file].cached.len() + self.files[*file].reserved).sum()
    }
}

impl SimulatedDisk {
    pub fn new(seed: u64) -> Self {
        let (names, durable_names, files) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (random, faults) = (StdRng::seed_from_u64(seed), Faults::default());
        Self(Arc::new(Mutex::new(State { random, faults, steps: 0, names, durable_names, files })))
    }

    pub fn set(&self, faults: Faults) {
        let mut state = self.0.lock();
        (state.faults, state.steps) = (faults, 0);
    }

    pub fn has_stopped(&self) -> bool {
        let state = self.0.lock();
        state.faults.stop_after.is_some_and(|last| state.steps >= last)
    }

    /// What is left when the process is killed: everything that it wrote.
    pub fn kill(&self) {
        self.set(Faults::default());
    }

    /// What is left after a power cut: what was synced, and any part of the rest.
    pub fn cut_power(&self) {
        let mut guard = self.0.lock();
        let State { random, names, durable_names, files, .. } = &mut *guard;
        for contents in files.iter_mut() {
            let mut left = contents.durable.clone();
            for page in &contents.dirty {
                let start = page * PAGE;
                let end = (start + PAGE).min(contents.cached.len());
                if start >= end || random.random_bool(0.4) {
                    continue;
                }
                let torn = if random.random_bool(0.3) { random.random_range(start..=end) } else { end };
                if left.len() < torn {
                    left.resize(torn, 0);
                }
                left[start..torn].copy_from_slice(&contents.cached[start..torn]);
            }
            *contents = Contents { cached: left.clone(), durable: left, ..Contents::default() };
        }
        // Each change of a name has reached the disk or not.
        let all: BTreeSet<String> = names.keys().chain(durable_names.keys()).cloned().collect();
        for name in all {
            if names.get(&name) != durable_names.get(&name) && random.random_bool(0.5) {
                match names.get(&name) {
                    Some(file) => durable_names.insert(name, *file),
                    None => durable_names.remove(&name),
                };
            }
        }
        *names = durable_names.clone();
        drop(guard);
        self.set(Faults::default());
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut state = self.0.lock();
        state.step()?;
        let file = state.files.len();
        state.files.push(Contents::default());
        state.names.insert(name.to_owned(), file);
        Ok(SimulatedFile { disk: self.0.clone(), file })
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let file = self.0.lock().names.get(name).copied();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(SimulatedFile { disk: self.0.clone(), file })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        state.names.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        if state.faults.no_sync {
            return Err(Errno::IO.into());
        }
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn reserve(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = self.create(name)?.file;
        let mut state = self.0.lock();
        if state.faults.capacity.is_some_and(|capacity| state.used() + bytes as usize > capacity) {
            state.names.remove(name);
            return Err(Errno::NOSPC.into());
        }
        state.files[file].reserved = bytes as usize;
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.0.lock();
        Ok(state.faults.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()) as u64))
    }
}

impl DiskFile for SimulatedFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let stops_here = state.step()?;
        if let Some(error) = state.faults.write_error {
            return Err(error.into());
        }
        let start = offset as usize;
        let grows = (start + bytes.len()).saturating_sub(state.files[self.file].cached.len());
        let room = state.faults.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(state.used()));
        let written = match () {
            () if stops_here => state.random.random_range(0..=bytes.len()),
            () if grows > room => bytes.len() - (grows - room).min(bytes.len()),
            () => bytes.len(),
        };
        let contents = &mut state.files[self.file];
        if contents.cached.len() < start + written {
            contents.cached.resize(start + written, 0);
        }
        contents.cached[start..start + written].copy_from_slice(&bytes[..written]);
        if written > 0 {
            contents.dirty.extend(start / PAGE..=(start + written - 1) / PAGE);
        }
        match written == bytes.len() {
            _ if stops_here => Err(io::Error::other("everything has stopped")),
            true => Ok(()),
            false => Err(Errno::NOSPC.into()),
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.lock();
        let range = offset as usize..offset as usize + bytes.len();
        bytes.copy_from_slice(state.files[self.file].cached.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.file].cached.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let contents = &mut state.files[self.file];
        contents.cached.resize(length as usize, 0);
        // That a file became shorter is as unsure as what is written into it; here the disk has it at once.
        contents.durable.truncate(length as usize);
        contents.dirty.retain(|page| page * PAGE < length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let is_failing = state.faults.no_sync;
        let contents = &mut state.files[self.file];
        let dirty = std::mem::take(&mut contents.dirty);
        if is_failing {
            return Err(Errno::IO.into());
        }
        if contents.durable.len() < contents.cached.len() {
            contents.durable.resize(contents.cached.len(), 0);
        }
        for page in dirty {
            let (start, end) = (page * PAGE, ((page + 1) * PAGE).min(contents.cached.len()));
            contents.durable[start..end].copy_from_slice(&contents.cached[start..end]);
        }
        Ok(())
    }
}
