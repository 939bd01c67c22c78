//! Which partition a record goes to: steps 2 to 6 of schemas/partitioner.md.

use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

const WINDOW: f64 = 16_384.0;
const COUNTERS: usize = 4_096;

/// One for each producer.
pub struct Affinity {
    sent: Vec<f64>,
    counts: HashMap<String, f64>,
    orders: HashMap<String, Vec<usize>>,
    missing: HashSet<usize>,
    total: f64,
}

/// Step 2: jump consistent hashing of a 64-bit number.
pub fn jump(mut number: u64, partitions: usize) -> usize {
    let (mut at, mut after) = (0, 0);
    while after < partitions as u64 {
        at = after;
        number = number.wrapping_mul(2862933555777941757).wrapping_add(1);
        after = ((at + 1) << 31) / ((number >> 33) + 1);
    }
    at as usize
}

/// Step 2: the first partitions in the order of a key.
pub fn order(key: &str, partitions: usize, first: usize) -> Vec<usize> {
    let first = first.min(partitions);
    let mut order = Vec::new();
    for block in 0u32.. {
        let digest = Sha256::new().chain_update(key).chain_update(block.to_be_bytes()).finalize();
        for bytes in digest.chunks(8) {
            if order.len() == first {
                return order;
            }
            let number = jump(u64::from_be_bytes(bytes.try_into().expect("8 bytes")), partitions);
            if !order.contains(&number) {
                order.push(number);
            }
        }
    }
    unreachable!("counting has no end")
}

impl Affinity {
    /// `starts`: what each partition's count begins with, numbers below 1, by chance.
    pub fn new(starts: Vec<f64>) -> Self {
        let (counts, orders, missing) = (HashMap::new(), HashMap::new(), HashSet::new());
        Self { sent: starts, counts, orders, missing, total: 0.0 }
    }

    /// Steps 3 to 6. `key`: None if none is known. `has_leader` tells whether a partition has one.
    pub fn choose(&mut self, key: Option<&str>, has_leader: impl Fn(usize) -> bool) -> usize {
        self.leaders(has_leader);
        let partitions = self.sent.len();
        let having = partitions - self.missing.len();
        let (mut own, mut is_new) = (having, false);
        if let Some(key) = key {
            let known = self.count(key);
            is_new = known <= 1.0;
            let share = (3.0 * known * partitions as f64 / (2.0 * self.total)).ceil() as usize;
            own = share.clamp(1, partitions);
        }
        let chosen = match key {
            Some(key) if own < having => self.least_of(key, own, having, is_new),
            _ => self.least_of_all(),
        };
        self.sent[chosen] += 1.0;
        chosen
    }

    fn least_of(&mut self, key: &str, count: usize, having: usize, is_new: bool) -> usize {
        let (relief, slack) = if is_new { ((2 * count).max(8), 0.0) } else { ((2 * count).max(4), 8.0) };
        // Whole, although only its beginning is needed: an example may be simple.
        let partitions = self.sent.len();
        let whole = self.orders.entry(key.into()).or_insert_with(|| order(key, partitions, partitions)).clone();
        let leading: Vec<usize> = whole.into_iter().filter(|number| !self.missing.contains(number)).collect();
        let own = self.least(&leading[..count]);
        let other = if relief >= having { self.least_of_all() } else { self.least(&leading[..relief]) };
        if self.sent[own] <= self.sent[other] + slack {
            return own;
        }
        if is_new {
            let order = self.orders.get_mut(key).expect("it was put there");
            order.retain(|number| *number != other);
            order.insert(0, other);
        }
        other
    }

    fn least_of_all(&self) -> usize {
        let leading: Vec<usize> = (0..self.sent.len()).filter(|number| !self.missing.contains(number)).collect();
        self.least(&leading)
    }

    /// The one that was sent least; of several the first.
    fn least(&self, order: &[usize]) -> usize {
        let by_sent = |one: &&usize, other: &&usize| self.sent[**one].total_cmp(&self.sent[**other]);
        *order.iter().min_by(by_sent).expect("a topic has partitions")
    }

    /// Step 5: how many records with this key there were of late, this one included.
    fn count(&mut self, key: &str) -> f64 {
        self.total += 1.0;
        if self.counts.contains_key(key) || self.counts.len() < COUNTERS {
            *self.counts.entry(key.into()).or_default() += 1.0;
        } else {
            self.counts.values_mut().for_each(|count| *count -= 1.0);
            self.counts.retain(|_, count| *count > 0.0);
        }
        if self.total >= WINDOW {
            self.total /= 2.0;
            self.counts.retain(|_, count| *count > 1.0);
            self.counts.values_mut().for_each(|count| *count /= 2.0);
            self.sent.iter_mut().for_each(|sent| *sent /= 2.0);
        }
        self.counts.get(key).copied().unwrap_or_default()
    }

    /// Step 6: a partition that has a leader again gets the mean, if it has less.
    fn leaders(&mut self, has_leader: impl Fn(usize) -> bool) {
        let partitions = self.sent.len();
        let gone: HashSet<usize> = (0..partitions).filter(|number| !has_leader(*number)).collect();
        let mean = self.sent.iter().sum::<f64>() / partitions as f64;
        for number in self.missing.difference(&gone) {
            self.sent[*number] = self.sent[*number].max(mean);
        }
        self.missing = if gone.len() < partitions { gone } else { HashSet::new() };
    }
}
