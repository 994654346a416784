//! Where in a segment is the outcome of a job?
//!
//! Twenty bytes an outcome: its key, and where its record begins. Ids of jobs grow with time (UUID version 7), so new
//! entries are nearly in order already: they are sorted in from time to time, and until then looked through.

/// Bytes of a key: an id, or a hash.
pub type Key = [u8; 16];

/// Entries that may be out of order.
const UNSORTED_MAX: usize = 1_024;

/// Keys of a segment, and where their records begin.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<(Key, u32)>,
    sorted: usize,
}

impl Index {
    pub fn add(&mut self, key: Key, offset: u32) {
        self.entries.push((key, offset));
        if self.entries.len() - self.sorted > UNSORTED_MAX {
            self.sort();
        }
    }

    /// Sorts all entries, and gives back the memory that was kept for more.
    pub fn seal(&mut self) {
        self.sort();
        self.entries.shrink_to_fit();
    }

    fn sort(&mut self) {
        self.entries.sort();
        self.sorted = self.entries.len();
    }

    /// Where the records of a key begin, in no order.
    pub fn find(&self, key: &Key) -> Vec<u32> {
        let (sorted, rest) = self.entries.split_at(self.sorted);
        let first = sorted.partition_point(|(other, _)| other < key);
        let found = sorted[first..].iter().take_while(|(other, _)| other == key);
        found.chain(rest.iter().filter(|(other, _)| other == key)).map(|(_, offset)| *offset).collect()
    }

    /// Forgets the records from `offset` on.
    pub fn cut(&mut self, offset: u32) {
        self.entries.retain(|(_, at)| *at < offset);
        self.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_a_key_is_found_before_and_after_sorting() {
        let mut index = Index::default();
        for n in 0..5_000_u32 {
            index.add([(n % 250) as u8; 16], n);
        }

        let mut found = index.find(&[7; 16]);
        found.sort();
        assert_eq!(found, (0..20).map(|n| 7 + 250 * n).collect::<Vec<_>>());

        index.seal();
        assert_eq!(index.find(&[7; 16]).len(), 20);
        assert!(index.find(&[251; 16]).is_empty());

        index.cut(2_000);
        assert_eq!(index.find(&[7; 16]).len(), 8);
    }
}
